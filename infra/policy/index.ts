/** The policy pack: `pulumi preview --policy-pack infra/policy`. Every rule is mandatory; docs/policy.md lists them. */
import { PolicyPack } from '@pulumi/policy';
import { bucketAclRules } from './bucket-acls';
import { bucketRules } from './buckets';
import { dnsRules } from './dns';
import { encryptionRules } from './encryption';
import { iamRules } from './iam';
import { ingressRules } from './ingress';
import { metadataRules } from './metadata';
import { protectionRules } from './protection';
import { secretRules } from './secrets';
import { listenForStackConfig } from './stack-config';

listenForStackConfig(); // before the pack serves
new PolicyPack('failover-policies', {
  enforcementLevel: 'mandatory',
  policies: [
    ...dnsRules,
    ...secretRules,
    ...encryptionRules,
    ...metadataRules,
    ...bucketRules,
    ...bucketAclRules,
    ...iamRules,
    ...ingressRules,
    ...protectionRules,
  ],
});
