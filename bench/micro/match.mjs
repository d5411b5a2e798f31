import express, { Router } from 'express';
import { built } from './subject.mjs';

const { Matcher } = built('express/matcher.js');
const app = express();

export const matching = {
  title: 'match a path',
  names: ['a Router of Express', 'Matcher', 'the same string'],
  rows: [
    ['/bench', () => ways('/bench', '/bench')],
    ['/chat/:room', () => ways('/chat/:room', '/chat/lobby?since=5')],
    ['a miss', () => ways('/bench', '/elsewhere')],
  ],
};

function ways(path, url) {
  const router = Router();
  router.all(path, () => undefined);
  const matcher = new Matcher(app, path);
  const request = () => ({ url, method: 'GET', headers: {} });
  return [
    () => router(request(), undefined, () => undefined),
    () => matcher.match(request()),
    () => request().url === path,
  ];
}
