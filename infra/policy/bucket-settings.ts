import type { StackValidationPolicy } from '@pulumi/policy';
import { stackRule, type StackResource } from './rule';
import { isMissing, UNKNOWN, type Values } from './values';

export const BUCKETS = ['aws:s3/bucket:Bucket', 'aws:s3/bucketV2:BucketV2'];

export interface SettingRule {
  readonly name: string;
  readonly description: string;
  /** What every bucket needs one of, as messages call it. */
  readonly setting: string;
  readonly types: readonly string[];
  /** What is wrong with one, in words; undefined where nothing surely is. */
  readonly wrong: (props: Values) => string | undefined;
  readonly expected: string;
  readonly remedy: string;
}

/** A rule that every bucket has a certain setting, which is a resource of its own. */
export function settingRule(rule: SettingRule): StackValidationPolicy {
  const { name, description, setting, types, wrong, expected, remedy } = rule;
  return stackRule({
    name,
    description,
    types: [...BUCKETS, ...types],
    check: (resources) => {
      const buckets = resources.filter(({ type }) => BUCKETS.includes(type));
      const settings = resources.filter(({ type }) => types.includes(type));
      return buckets.flatMap((bucket) => {
        const own = settings.filter((each) => isOf(each, bucket, buckets) === 'yes');
        const problems = own.map(({ props }) => wrong(props)).filter((each) => each !== undefined);
        const perhaps = settings.some((each) => isOf(each, bucket, buckets) === 'perhaps');
        if (own.length === 0 && !perhaps) problems.push(`no ${setting}`);
        return problems.map((problem) => ({
          found: `bucket ${bucket.name} with ${problem}`,
          expected,
          remedy,
          urn: bucket.urn,
        }));
      });
    },
  });
}

/** Whose setting it is: by the bucket whose output names it, else by the name itself. */
function isOf(
  setting: StackResource,
  bucket: StackResource,
  buckets: readonly StackResource[],
): 'yes' | 'no' | 'perhaps' {
  const sources = setting.sources['bucket'] ?? [];
  if (sources.includes(bucket.urn)) return 'yes';
  if (buckets.some(({ urn }) => sources.includes(urn))) return 'no';
  const named = setting.props['bucket'];
  const { bucket: name, id } = bucket.props;
  if (named !== UNKNOWN && !isMissing(named) && (named === name || named === id)) return 'yes';
  return named === UNKNOWN || name === UNKNOWN ? 'perhaps' : 'no';
}
