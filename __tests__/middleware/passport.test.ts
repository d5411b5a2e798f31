import express, { type Request, type RequestHandler } from 'express';
import session from 'express-session';
import passport, { Passport } from 'passport';
import { Strategy as BearerStrategy } from 'passport-http-bearer';
import { Strategy as LocalStrategy } from 'passport-local';
import type { Middleware } from '../../lib/express/options';
import { catchStderr, open, refused, type Running } from '../express/harness';
import { cookieAfter, PLACES, post, startBehind, type Behind, type Place } from './support';

interface User {
  readonly name: string;
}

const ANN: User = { name: 'ann' };

function userOf(req: Request): User | undefined {
  return req.user as User | undefined;
}

const orSignIn: RequestHandler = (req, res, next) => {
  if (req.isAuthenticated()) next();
  else res.redirect('/sign-in');
};

/** A site with a form to sign in, and what recognises those who have. */
function makeSite(): { readonly recognise: RequestHandler[]; readonly login: RequestHandler[] } {
  const own = new Passport();
  own.use(
    new LocalStrategy((name, password, done) => {
      done(null, name === 'ann' && password === 'right' ? ANN : false);
    }),
  );
  own.serializeUser((user, done) => done(null, (user as User).name));
  own.deserializeUser((name, done) => done(null, name === 'ann' ? ANN : false));
  const recognise = [
    session({ secret: 'a secret', resave: false, saveUninitialized: false }),
    own.initialize() as RequestHandler,
    own.session() as RequestHandler,
  ];
  const login = [
    express.urlencoded({ extended: false }),
    own.authenticate('local') as RequestHandler,
  ];
  return { recognise, login };
}

async function startSite(
  place: Place,
  guard: Middleware = [],
  behind: Behind = {},
): Promise<Running> {
  const { recognise, login } = makeSite();
  return startBehind(place, [recognise, guard], {
    ...behind,
    prepare(app) {
      app.post('/sign-in', ...recognise, ...login, (_req, res) => void res.end('in'));
      app.post('/sign-out', ...recognise, (req, res) => req.logout(() => void res.end('out')));
    },
  });
}

async function signIn(running: Running): Promise<string> {
  const answer = await post(running, '/sign-in', { username: 'ann', password: 'right' });
  expect([answer.status, answer.body]).toEqual([200, 'in']);
  return cookieAfter(answer);
}

describe.each(PLACES)('passport with a session before %s', (place) => {
  it('knows who has signed in on a page, before the 101 and on the open socket', async () => {
    const seen: unknown[] = [];
    const running = await startSite(place, [], {
      auth: (req) => req.isAuthenticated() && { user: userOf(req) },
      open: ({ context }, req) => seen.push(context, req.user, req.isAuthenticated()),
    });
    await open(running, { headers: { Cookie: await signIn(running) } });
    expect(seen).toEqual([{ user: ANN }, ANN, true]);
  });

  it('knows nobody without the cookie: nothing opens', async () => {
    const opened = jest.fn();
    const running = await startSite(place, [], {
      auth: (req) => req.isAuthenticated() && { user: userOf(req) },
      open: opened,
    });
    expect((await refused(running)).status).toBe(403);
    const wrong = await post(running, '/sign-in', { username: 'ann', password: 'wrong' });
    expect(wrong.status).toBe(401);
    const headers = { Cookie: cookieAfter(wrong) };
    expect((await refused(running, { headers })).status).toBe(403);
    expect(opened).not.toHaveBeenCalled();
  });

  it('lets a guard behind it send strangers to the form', async () => {
    const running = await startSite(place, orSignIn);
    const answer = await refused(running);
    expect([answer.status, answer.headers['location']]).toEqual([302, '/sign-in']);
    await open(running, { headers: { Cookie: await signIn(running) } });
  });

  it('has forgotten who has signed out', async () => {
    const running = await startSite(place, orSignIn);
    const headers = { Cookie: await signIn(running) };
    await open(running, { headers });
    await post(running, '/sign-out', {}, headers);
    expect((await refused(running, { headers })).status).toBe(302);
  });

  it('may sign somebody in during the handshake itself', async () => {
    const running = await startSite(place, [], {
      auth: (req) =>
        new Promise((resolve, reject) => {
          req.login(ANN, (error) => (error ? reject(error as Error) : resolve(userOf(req))));
        }),
    });
    const { upgraded } = await open(running);
    const later = await startSite(place, orSignIn);
    // Another site does not know that session; this one does.
    const headers = { Cookie: cookieAfter(upgraded) };
    expect((await refused(later, { headers })).status).toBe(302);
    const again = await open(running, { headers });
    expect(again.upgraded.status).toBe(101);
    const contexts = [...running.sockets.clients].map(({ context }) => context);
    expect(contexts).toEqual([ANN, ANN]);
  });
});

describe.each(PLACES)('passport with bearer tokens before %s', (place) => {
  const makeBearer = (options: object = {}): RequestHandler => {
    const own = new Passport();
    own.use(
      new BearerStrategy((token, done) => {
        if (token === 'broken') done(new Error('the database of tokens is away'));
        else done(null, token === 'good' ? ANN : false, { scope: 'chat', message: '' });
      }),
    );
    return own.authenticate('bearer', { session: false, ...options }) as RequestHandler;
  };

  const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

  it('lets a good token in, and says whose it is', async () => {
    const seen: unknown[] = [];
    const running = await startBehind(place, makeBearer(), {
      auth: (req) => ({ user: userOf(req) }),
      open: ({ context }, req) => seen.push(context, req.user, req.authInfo),
    });
    await open(running, bearer('good'));
    expect(seen).toEqual([{ user: ANN }, ANN, { scope: 'chat', message: '' }]);
  });

  it('takes it from the query as well, as pages have to send it', async () => {
    const running = await startBehind(place, makeBearer());
    await open(running, { path: '/ws?access_token=good' });
    expect((await refused(running, { path: '/ws?access_token=bad' })).status).toBe(401);
  });

  it.each<[string, object, number, string, string]>([
    ['none', {}, 401, 'Unauthorized', 'Bearer realm="Users"'],
    ['a bad one', bearer('bad'), 401, 'Unauthorized', 'error="invalid_token"'],
    ['two', { ...bearer('good'), path: '/ws?access_token=good' }, 400, 'Bad Request', ''],
  ])('answers %s as it answers a page', async (_what, knock, status, body, challenge) => {
    const opened = jest.fn();
    const running = await startBehind(place, makeBearer(), { open: opened });
    const answer = await refused(running, knock);
    expect([answer.status, answer.body]).toEqual([status, body]);
    expect(String(answer.headers['www-authenticate'] ?? '')).toContain(challenge);
    expect(opened).not.toHaveBeenCalled();
  });

  it('sends strangers where it is told to', async () => {
    const running = await startBehind(place, makeBearer({ failureRedirect: '/sign-in' }));
    const answer = await refused(running);
    expect([answer.status, answer.headers['location']]).toEqual([302, '/sign-in']);
  });

  it('whose look-up fails is a 500 without its words', async () => {
    const lines = catchStderr();
    const running = await startBehind(place, makeBearer());
    const answer = await refused(running, bearer('broken'));
    expect([answer.status, answer.body]).toEqual([500, 'Internal Server Error']);
    expect(lines.join('')).toContain('the database of tokens is away');
  });
});

it('passport as its one shared instance does as well', async () => {
  passport.use(new BearerStrategy((_token, done) => done(null, ANN)));
  const use = passport.authenticate('bearer', { session: false }) as RequestHandler;
  const running = await startBehind('its route', use, { auth: userOf });
  await open(running, { headers: { Authorization: 'Bearer any' } });
  const [socket] = running.sockets.clients;
  expect(socket?.context).toEqual(ANN);
  passport.unuse('bearer');
});
