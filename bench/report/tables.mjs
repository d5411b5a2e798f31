/** Markdown tables, for the terminal and for RESULTS.md. */

const DASH = '–';

const COLUMNS = [
  ['CPU, µs', 'cpu', (value) => value.toFixed(2)],
  ['ratio', 'ratio', (value) => value.median.toFixed(2)],
  [
    'lowest–highest',
    'ratio',
    ({ lowest, highest }) => `${lowest.toFixed(2)}–${highest.toFixed(2)}`,
  ],
  ['rate, /s', 'rate', (value) => Math.round(value).toLocaleString('en')],
  ['p50, ms', 'p50', (value) => value.toFixed(2)],
  ['p99, ms', 'p99', (value) => value.toFixed(2)],
  ['RSS, MB', 'rss', (value) => (value / 1e6).toFixed(0)],
];

const MEMORY_COLUMNS = [
  ['RSS a connection, kB', 'rssEach', (value) => (value / 1000).toFixed(2)],
  ['heap a connection, kB', 'heapEach', (value) => (value / 1000).toFixed(2)],
  ['RSS, MB', 'rss', (value) => (value / 1e6).toFixed(0)],
];

const GROWTH_COLUMNS = [...COLUMNS.slice(0, -1), MEMORY_COLUMNS[0], COLUMNS.at(-1)];

/** The columns that a scenario fills. */
export function columnsOf({ kind, watchesMemory }) {
  if (kind === 'idle') return MEMORY_COLUMNS;
  return watchesMemory ? GROWTH_COLUMNS : COLUMNS;
}

export function headOf(columns) {
  const titles = ['scenario', 'server', ...columns.map(([title]) => title)];
  return `${rowOf(titles)}\n|${titles.map(() => '---|').join('')}`;
}

/** The rows of one scenario, one for each server. */
export function rowsOf({ name }, summary, columns) {
  return summary.map((each) =>
    rowOf([
      name,
      each.name,
      ...columns.map(([, key, format]) => (each[key] === undefined ? DASH : format(each[key]))),
    ]),
  );
}

function rowOf(cells) {
  return `| ${cells.join(' | ')} |`;
}
