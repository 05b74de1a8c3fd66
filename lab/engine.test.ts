import { configFile } from './config';
import { configWords } from './engine';

describe('configWords', () => {
  it.each([
    ['up', ['up', '--yes', '--stack', 'witness']],
    ['preview', ['preview', '-s', 'witness']],
    ['destroy', ['destroy', '--stack=witness']],
    ['config', ['config', 'get', 'zone', '--stack', 'witness']],
  ])("names the lab's stack file to %s", (_, words) => {
    expect(configWords(words)).toEqual(['--config-file', configFile('witness')]);
  });

  it.each([
    ['a command that reads no configuration', ['stack', 'output', '--stack', 'witness']],
    ['a command without a stack', ['version']],
    ['a stack file that was named already', ['up', '--stack', 'witness', '--config-file', 'mine.yaml']],
    ['the same in one word', ['up', '--stack', 'witness', '--config-file=mine.yaml']],
  ])('adds nothing to %s', (_, words) => {
    expect(configWords(words)).toEqual([]);
  });
});
