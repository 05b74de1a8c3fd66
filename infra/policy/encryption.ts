import { type Finding, resourceRule } from './rule';
import { at, isMissing, isSurelyNot, listOf, tell, UNKNOWN, type Value } from './values';

const VOLUME = 'aws:ebs/volume:Volume';
const INSTANCE = 'aws:ec2/instance:Instance';

function unencrypted(what: string, device: Value): Finding[] {
  const encrypted = at(device, 'encrypted');
  const isOff = isSurelyNot(encrypted, true);
  if (!isOff && !isMissing(at(device, 'kmsKeyId'))) return [];
  return [
    {
      found: isOff ? `${what} with encrypted ${tell(encrypted)}` : `${what} without kmsKeyId`,
      expected: "encryption with a key of this project's, which its own policies govern",
      remedy: 'Set encrypted to true and kmsKeyId to the KMS key of the region',
    },
  ];
}

export const encryptionRules = [
  resourceRule({
    name: 'volumes-encrypted',
    description: "Volumes and the devices of instances are encrypted with the project's own keys.",
    types: [VOLUME, INSTANCE],
    check: ({ type, props }) => {
      if (type === VOLUME) return unencrypted('a volume', props);
      const more = props['ebsBlockDevices'];
      return [
        ...unencrypted("an instance's root device", props['rootBlockDevice']),
        ...(more === UNKNOWN ? [] : listOf(more)).flatMap((device) =>
          unencrypted(`an instance's device ${tell(at(device, 'deviceName'))}`, device),
        ),
      ];
    },
  }),
];
