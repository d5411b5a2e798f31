import { once } from 'node:events';
import { connect } from 'node:net';
import type { BrowserContext, Locator, Page } from 'playwright-core';
import { buildExample, ChatServer, freePort } from './chat-server';
import { describeWithChromium } from './chromium';

jest.setTimeout(60_000);

describeWithChromium('the example, in a browser', (browser) => {
  let server: ChatServer;
  /** Ada and Grace are logged in; a test takes their pages to a room of its own. */
  let ada: Page;
  let grace: Page;
  const contexts: BrowserContext[] = [];
  const faults: Error[] = [];
  let rooms = 0;

  beforeAll(async () => {
    buildExample();
    server = new ChatServer(await freePort());
    await server.start();
    [ada, grace] = await bothEnter(server);
  });

  afterEach(async () => {
    await Promise.all(contexts.splice(2).map((context) => context.close()));
    expect(faults.splice(0)).toEqual([]);
  });

  afterAll(async () => {
    await Promise.all(contexts.map((context) => context.close()));
    expect(await server.stop()).toBe(0);
    expect(server.errors).toBe('');
  });

  function someRoom(at: ChatServer = server): string {
    rooms += 1;
    return `${at.url}/room/room-${rooms}`;
  }

  /** A browser of somebody else: other cookies. */
  async function someone(): Promise<Page> {
    const context = await browser().newContext();
    context.setDefaultTimeout(15_000);
    context.on('weberror', (error) => faults.push(error.error()));
    contexts.push(context);
    return context.newPage();
  }

  async function bothEnter(at: ChatServer): Promise<[Page, Page]> {
    const url = someRoom(at);
    const enter = async (name: string): Promise<Page> => {
      const page = await someone();
      await page.goto(url);
      await logIn(page, name);
      await box(page).waitFor();
      return page;
    };
    return Promise.all([enter('Ada'), enter('Grace')]);
  }

  /** Ada goes first, so that she sees Grace come. */
  async function meet(): Promise<string> {
    const url = someRoom();
    for (const page of [ada, grace]) {
      await page.goto(url);
      await box(page).waitFor();
    }
    return url;
  }

  it('says why a name is refused, and lets in under another one', async () => {
    const page = await someone();
    await page.goto(someRoom());
    for (const name of ['<b>Ada</b>', '   ']) {
      await logIn(page, name);
      await page.getByRole('alert').getByText('A name has 1 to 24 letters').waitFor();
    }
    await logIn(page, ' Linus ');
    await people(page, 'Linus (you)').waitFor();
  });

  it('leads from / to the lobby, and knows no room of an odd name', async () => {
    await ada.goto(server.url);
    expect(ada.url()).toBe(`${server.url}/room/lobby`);
    const answer = await ada.goto(`${server.url}/room/No%20Room`);
    expect(answer?.status()).toBe(404);
  });

  it('lets two people talk, and shows who comes, is there and leaves', async () => {
    await meet();
    await log(ada, 'Grace came in').waitFor();
    await people(ada, 'Grace').waitFor();
    await people(grace, 'Ada').waitFor();

    await say(ada, 'Good morning');
    await log(grace, 'Good morning').waitFor();
    await log(ada, 'Good morning').waitFor();
    await say(grace, 'Good evening');
    await log(ada, 'Good evening').waitFor();
    await log(grace, 'Good evening').waitFor();

    await grace.goto('about:blank');
    await log(ada, 'Grace left').waitFor();
    await people(ada, 'Grace').waitFor({ state: 'detached' });
  });

  it('keeps rooms apart', async () => {
    for (const page of [ada, grace]) {
      await page.goto(someRoom());
      await box(page).waitFor();
    }
    await say(ada, 'for this room');
    await log(ada, 'for this room').waitFor();
    await say(grace, 'for that room');
    await log(grace, 'for that room').waitFor();
    expect(await log(grace, 'for this room').count()).toBe(0);
    expect(await log(ada, 'for that room').count()).toBe(0);
  });

  it('shows a message in the second tab at once, and does not announce that tab', async () => {
    const url = await meet();
    const second = await grace.context().newPage();
    await second.goto(url);
    await people(second, 'Grace (you)').waitFor();
    await say(grace, 'seen twice');
    await log(second, 'seen twice').waitFor();
    await second.close();
    await say(grace, 'still here');
    await log(ada, 'still here').waitFor();
    expect(await log(ada, 'Grace came in').count()).toBe(1);
    expect(await log(ada, 'Grace left').count()).toBe(0);
  });

  it('shows markup as the text it is', async () => {
    await meet();
    const markup = '<img src=x onerror="document.title=`owned`"><b>bold</b>';
    await say(ada, markup);
    await log(grace, markup).waitFor();
    expect(await grace.locator('#log img, #log b').count()).toBe(0);
    expect(await grace.title()).not.toBe('owned');
  });

  it('shows what was said before after a reload, once', async () => {
    await meet();
    await say(ada, 'remember me');
    await log(grace, 'remember me').waitFor();
    await grace.reload();
    await log(grace, 'remember me').waitFor();
    expect(await log(grace, 'remember me').count()).toBe(1);
  });

  it('shows who is typing to the others', async () => {
    await meet();
    await box(ada).pressSequentially('Hm');
    await grace.getByText('Ada is typing').waitFor();
    expect(await ada.getByText('Ada is typing').count()).toBe(0);
  });

  it('refuses a socket without a session: the page sees 1006, and never open', async () => {
    const page = await someone();
    await page.goto(someRoom());
    const outcome = await page.evaluate(`new Promise((resolve) => {
      const seen = [];
      const socket = new WebSocket(location.origin.replace('http', 'ws') + '/chat/lobby', 'chat.v1');
      socket.onopen = () => seen.push('open');
      socket.onerror = () => seen.push('error');
      socket.onclose = ({ code }) => resolve([...seen, code]);
    })`);
    expect(outcome).toEqual(['error', 1006]);
  });

  it('closes every tab at the log-out, and says in words that the socket is refused', async () => {
    const first = await someone();
    await first.goto(someRoom());
    await logIn(first, 'Linus');
    await people(first, 'Linus (you)').waitFor();
    const second = await first.context().newPage();
    await second.goto(first.url());
    await people(second, 'Linus (you)').waitFor();

    await first.getByRole('button', { name: 'Log out' }).click();
    await first.getByRole('alert').getByText('You are logged out').waitFor();
    const refusal = 'The server refused the connection: you are logged out.';
    await second.getByRole('alert').getByText(refusal).waitFor();
    await logIn(second, 'Linus');
    await people(second, 'Linus (you)').waitFor();
  });

  it('puts out who floods the room, says why, and lets them in again', async () => {
    await meet();
    const told = status(ada, 'too many messages. (code 1008)');
    await ada.evaluate(`for (let i = 0; i < 30; i += 1) {
      document.getElementById('text').value = 'flood ' + i;
      document.getElementById('say').requestSubmit();
    }`);
    await told;
    await ada.locator('#connection').waitFor({ state: 'hidden' });
    await say(ada, 'sorry');
    await log(grace, 'sorry').waitFor();
  });

  it('ends when it is told to, though a browser may hold a connection and ask nothing', async () => {
    const own = new ChatServer(await freePort());
    await own.start();
    const spare = connect(Number(new URL(own.url).port), 'localhost');
    await once(spare, 'connect');
    expect(await own.stop()).toBe(0);
    spare.destroy();
    expect(own.errors).toBe('');
  });

  it('says that the server is away, and comes back by itself after a restart', async () => {
    const own = new ChatServer(await freePort());
    await own.start();
    try {
      const pages = await bothEnter(own);
      const [first, second] = pages;
      await say(first, 'before');
      await log(second, 'before').waitFor();

      const told = pages.map((page) => status(page, 'The server is restarting. (code 1001)'));
      expect(await own.stop()).toBe(0);
      await Promise.all(told);
      await Promise.all(pages.map((page) => status(page, 'The server is away.')));
      await say(first, 'kept in the box');
      expect(await box(first).inputValue()).toBe('kept in the box');

      await own.start();
      // The sessions went with the old process: each page logs in again, with its name.
      await Promise.all(
        pages.flatMap((page) => [
          page.locator('#connection').waitFor({ state: 'hidden' }),
          people(page, 'Ada').waitFor(),
          people(page, 'Grace').waitFor(),
        ]),
      );
      await box(first).press('Enter');
      await log(second, 'kept in the box').waitFor();
      await say(second, 'welcome back');
      await log(first, 'welcome back').waitFor();
      expect(await log(first, 'before').count()).toBe(1);
    } finally {
      await own.stop();
    }
    expect(own.errors).toBe('');
  });
});

async function logIn(page: Page, name: string): Promise<void> {
  await page.getByLabel('Your name').fill(name);
  await page.getByRole('button', { name: 'Log in' }).click();
}

function box(page: Page): Locator {
  return page.getByLabel('Message', { exact: true });
}

async function say(page: Page, text: string): Promise<void> {
  await box(page).fill(text);
  await box(page).press('Enter');
}

function log(page: Page, text: string): Locator {
  return page.getByRole('log').getByText(text, { exact: true });
}

function people(page: Page, name: string): Locator {
  return page.getByRole('complementary', { name: 'Here now' }).getByText(name);
}

/** Waits for words that may stand there for a moment only, from when it is called. */
async function status(page: Page, words: string): Promise<void> {
  await page.evaluate(`new Promise((resolve) => {
    const status = document.getElementById('status');
    const look = () => status.textContent.includes(${JSON.stringify(words)}) && resolve();
    new MutationObserver(look).observe(status, { childList: true });
    look();
  })`);
}
