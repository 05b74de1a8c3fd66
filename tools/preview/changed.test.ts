import { changedStacks, STACKS } from './changed';

describe('stacks that a change touches', () => {
  it.each([
    ['its own file: that stack', ['Pulumi.eu-standby.yaml', 'README.md'], ['eu-standby']],
    ['what all share: all', ['Pulumi.eu-standby.yaml', 'Pulumi.yaml'], STACKS],
    ['the program: all', ['components/edge.ts'], STACKS],
    ['what runs on servers: all', ['agent/site/site.ts'], STACKS],
    ['the dependencies: all', ['package-lock.json'], STACKS],
    ['nothing that is deployed: none', ['docs/aws.md', 'lab/world.ts', 'agent/site/site.test.ts'], []],
    ['nothing at all: none', [], []],
    ['an unknown stack: none', ['Pulumi.us-spare.yaml'], []],
  ])('%s', (_what, files, expected) => {
    expect(changedStacks(files)).toEqual(expected);
  });
});
