/**
 * Whether two types are the same: each can stand for the other, with the same properties, and
 * neither is `any`. An intersection of objects is the same as the one object.
 */
export type IsSame<A, B> = [IsAny<A>, A, keyof A] extends [IsAny<B>, B, keyof B]
  ? [IsAny<B>, B, keyof B] extends [IsAny<A>, A, keyof A]
    ? true
    : false
  : false;

type IsAny<T> = 0 extends 1 & T ? true : false;

/**
 * Compiles when the value is of this type exactly: `exactly<string>()(socket.params.room)`.
 * Nothing of this is ever called: the files of this folder are compiled and not run.
 */
export declare function exactly<Expected>(): <Actual>(
  value: Actual,
  ...mismatch: IsSame<Actual, Expected> extends true ? [] : [{ expected: Expected; actual: Actual }]
) => void;
