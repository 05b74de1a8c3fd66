import { parsePullOptions, pullArguments } from './options';

const ARGS = ['--bucket', 'b', '--region', 'eu-west-2', '--server', 'uk-1'];
const ALL = [
  ...ARGS,
  ...['--endpoint', 'http://127.0.0.1:1', '--secrets-endpoint', 'http://127.0.0.1:2'],
  ...['--metadata-endpoint', 'http://127.0.0.1:3', '--install'],
];

it('reads what it writes', () => {
  expect(pullArguments(parsePullOptions(ALL))).toEqual(ALL);
  expect(pullArguments(parsePullOptions(ARGS))).toEqual(ARGS);
});

it.each([
  [['--bucket', 'b', '--region', 'r'], 'pull needs --server'],
  [[...ARGS, '--bucket', '../b'], 'pull needs --bucket'],
  [[...ARGS, '--endpoint', 's3.example.com'], '--endpoint should be an address'],
  [[...ARGS, '--speed', '9'], "Unknown option '--speed'"],
])('refuses %j', (args, words) => {
  expect(() => parsePullOptions(args)).toThrow(words);
});
