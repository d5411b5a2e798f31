import { exactly, type IsSame } from './exactly';

/*
 * What the other files rely on: that `exactly` does not let something pass.
 */

declare const anything: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- has to be told apart
declare const text: string;
declare const none: undefined;
declare const narrow: 'a';
declare const both: { a: string } & { b: string };

exactly<string>()(text);
exactly<undefined>()(none);
exactly<'a'>()(narrow);
exactly<{ a: string; b: string }>()(both);

// @ts-expect-error -- `any` is not a string
exactly<string>()(anything);
// @ts-expect-error -- a string is not `any`
exactly<any>()(text); // eslint-disable-line @typescript-eslint/no-explicit-any -- as above
// @ts-expect-error -- a string is not unknown
exactly<unknown>()(text);
// @ts-expect-error -- a literal is not every string
exactly<string>()(narrow);
// @ts-expect-error -- one property is missing
exactly<{ a: string }>()(both);

export const same: [
  IsSame<{ a?: string }, { a: string }>,
  IsSame<string | undefined, string>,
  IsSame<never, string>,
  IsSame<{ a: string } & { b?: number }, { a: string; b?: number }>,
] = [false, false, false, true];
