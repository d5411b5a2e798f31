/*
 * The page's half of the chat: logging in, talking, and coming back when the connection is lost.
 * Whatever came from other people is put on the page as text, never as HTML.
 */

const room = location.pathname.split('/').pop();
const byId = (id) => document.getElementById(id);

let me; // our name, once logged in
let socket;

// ── Logging in ──────────────────────────────────────────────────────────────────────────────────

/** Our name; `null` when nobody is logged in, `undefined` when the server is away. */
async function whoAmI() {
  try {
    const response = await fetch('/me');
    return response.ok ? (await response.json()).name : undefined;
  } catch {
    return undefined;
  }
}

/** Returns what is wrong, in words; nothing when all went well. */
async function logIn(name) {
  try {
    const response = await fetch('/login', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ name }),
    });
    const answer = await response.json();
    if (!response.ok) return answer.error;
    me = answer.name;
    return undefined;
  } catch {
    return 'The server does not answer. Please try again.';
  }
}

function showLogin(words = '') {
  byId('chat-view').hidden = true;
  byId('login-view').hidden = false;
  byId('login-note').textContent = words;
  byId('name').focus();
}

byId('login').addEventListener('submit', async (event) => {
  event.preventDefault();
  const error = await logIn(byId('name').value);
  if (error === undefined) connect();
  else showLogin(error);
});

byId('logout').addEventListener('click', async () => {
  stop();
  const isHeard = await fetch('/logout', { method: 'POST' }).catch(() => false);
  showLogin(isHeard ? 'You are logged out.' : 'You have left, but the server is away.');
});

// ── Connecting, and coming back ─────────────────────────────────────────────────────────────────

/** Close codes, as a person would put them. */
const CLOSE_WORDS = {
  1000: 'The conversation was ended.',
  1001: 'The server is restarting.',
  1006: 'The connection was lost.',
  1008: 'The server has put you out',
  1009: 'That message was too long.',
  1011: 'Something went wrong on the server.',
  1013: 'Your connection was too slow to keep up.',
};

let failures = 0; // attempts since we were last in
let retryTimer; // set while waiting for the next attempt
let wasPutOut = false;

function connect() {
  retryTimer = undefined;
  let wasOpen = false;
  const url = new URL(`/chat/${room}`, location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  socket = new WebSocket(url, 'chat.v1');
  socket.onopen = () => (wasOpen = true);
  socket.onmessage = ({ data }) => receive(JSON.parse(data));
  socket.onclose = ({ code, reason }) => (wasOpen ? lost(code, reason) : refused());
}

/** We were in, and the connection has ended. */
function lost(code, reason) {
  wasPutOut = code === 1008;
  showTyping('');
  const words = CLOSE_WORDS[code] ?? 'The connection was closed.';
  retry(`${reason === '' ? words : `${words.replace(/\.$/, '')}: ${reason}.`} (code ${code})`);
}

/**
 * We were not let in. The browser says no more than code 1006, whether the server said 401 or is not
 * there at all. So ask over HTTP which it was.
 */
async function refused() {
  const name = await whoAmI();
  if (me === undefined) return undefined; // logged out meanwhile
  if (name === undefined) return retry('The server is away.');
  if (name !== null) return retry('The server did not let you in. It may be full.');
  // The server does not know us any more. After a restart, the name is all it takes; a chat with
  // passwords would show its log-in here. Whom the server has put out is to decide for themselves.
  if (!wasPutOut && (await logIn(me)) === undefined) return connect();
  stop();
  return showLogin('The server refused the connection: you are logged out. Please log in again.');
}

/** Waits longer from time to time, and never as long as everybody else (backoff with jitter). */
function retry(words) {
  const longest = Math.min(15_000, 500 * 2 ** failures);
  const wait = longest / 2 + (Math.random() * longest) / 2;
  failures += 1;
  showStatus(`${words} Trying again in ${Math.ceil(wait / 1000)} s …`);
  retryTimer = setTimeout(connect, wait);
}

function retryNow() {
  if (retryTimer === undefined) return; // an attempt is under way
  clearTimeout(retryTimer);
  connect();
}

/** Ends the connection, and does not come back. */
function stop() {
  me = undefined;
  clearTimeout(retryTimer);
  retryTimer = undefined;
  socket.onclose = null;
  socket.close();
  byId('log').replaceChildren();
}

function showStatus(words) {
  keepingTheEnd(() => {
    byId('connection').hidden = words === '';
    byId('status').textContent = words;
  });
}

byId('retry').addEventListener('click', retryNow);
addEventListener('online', retryNow);

// ── Talking ─────────────────────────────────────────────────────────────────────────────────────

/** What comes from the server: `ToPage` in server.ts. */
function receive(message) {
  switch (message.type) {
    case 'welcome':
      showRoom();
      showPeople(message.people);
      message.history.forEach(showSaid);
      break;
    case 'joined':
    case 'left':
      showPeople(message.people);
      showNotice(`${message.name} ${message.type === 'joined' ? 'came in' : 'left'}`);
      break;
    case 'said':
      showSaid(message);
      showTyping('');
      break;
    case 'typing':
      showTyping(`${message.name} is typing …`);
      break;
  }
}

/** Whether the message is on its way; without a connection, it stays in the box. */
function send(message) {
  const isOpen = socket.readyState === WebSocket.OPEN;
  if (isOpen) socket.send(JSON.stringify(message));
  return isOpen;
}

let toldTypingAt = 0;

byId('say').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = byId('text').value.trim();
  if (text === '' || !send({ type: 'say', text })) return;
  byId('text').value = '';
  toldTypingAt = 0;
});

byId('text').addEventListener('input', () => {
  if (Date.now() - toldTypingAt > 2000 && send({ type: 'typing' })) toldTypingAt = Date.now();
});

// ── On the page ─────────────────────────────────────────────────────────────────────────────────

const MAX_ENTRIES = 500;

function showRoom() {
  failures = 0;
  showStatus('');
  if (!byId('chat-view').hidden) return;
  byId('login-view').hidden = true;
  byId('chat-view').hidden = false;
  byId('text').focus();
}

function showPeople(names) {
  byId('people').replaceChildren(
    ...names.map((name) => element('li', name === me ? `${name} (you)` : name, colourOf(name))),
  );
}

/** History comes with every connection: what is on the page already is not shown twice. */
function showSaid({ id, from, text, at }) {
  if (byId(`said-${id}`) !== null) return;
  const time = element('time', new Date(at).toLocaleTimeString([], { timeStyle: 'short' }));
  time.dateTime = new Date(at).toISOString();
  const entry = element('li', '', colourOf(from));
  entry.id = `said-${id}`;
  entry.className = from === me ? 'said mine' : 'said';
  entry.dataset.from = from;
  entry.append(element('strong', from), element('p', text), time);
  // One after the other by the same person: the name once is enough.
  if (byId('log').lastElementChild?.dataset.from === from) entry.classList.add('more');
  append(entry);
}

function showNotice(text) {
  const entry = element('li', text);
  entry.className = 'notice';
  append(entry);
}

function append(entry) {
  const log = byId('log');
  keepingTheEnd(() => log.append(entry));
  if (log.childElementCount > MAX_ENTRIES) log.firstElementChild.remove();
}

/** Whoever sees the last message still does after the change; whoever has scrolled up stays there. */
function keepingTheEnd(change) {
  const log = byId('log');
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  change();
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

let typingTimer;

function showTyping(words) {
  clearTimeout(typingTimer);
  byId('typing').textContent = words;
  if (words !== '') typingTimer = setTimeout(showTyping, 3000, '');
}

function element(tag, text, hue) {
  const made = document.createElement(tag);
  made.textContent = text;
  if (hue !== undefined) made.style.setProperty('--hue', hue);
  return made;
}

/** Everybody has a colour, the same on every page. */
function colourOf(name) {
  const sum = [...name].reduce((hash, letter) => (hash * 31 + letter.codePointAt(0)) % 9973, 7);
  return (sum * 137.5) % 360; // far apart for names that are alike
}

// ── Starting ────────────────────────────────────────────────────────────────────────────────────

document.title = `${room} · chat`;
for (const each of document.querySelectorAll('.room-name')) each.textContent = room;
for (const link of document.querySelectorAll('nav a')) {
  if (link.pathname === location.pathname) link.ariaCurrent = 'page';
}

me = (await whoAmI()) ?? undefined;
if (me === undefined) showLogin();
else connect();
