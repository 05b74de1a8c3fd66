/**
 * Stack outputs: what runbooks and the `failover` CLI consume. Adding a field is compatible; renaming or removing
 * one is not. `pulumi stack output --json --show-secrets` of each stack must parse with these.
 */
import { z } from 'zod';

const Server = z.object({ name: z.string(), address: z.string() });

const Stage = z.object({ stage: z.string(), seconds: z.number() });

/** Predicted seconds of each stage of a failover, worst case, and their sum against the objective. */
export const BudgetOutput = z.object({
  rto: z.object({
    /** The worst of the two sums below; refused at preview when over `objectiveSeconds`. */
    predictedSeconds: z.number(),
    objectiveSeconds: z.number(),
    /** Region lost: lease runs out → standby claims → DNS sees it → TTL passes. */
    regionLoss: z.object({
      stages: z.array(Stage),
      totalSeconds: z.number(),
    }),
    /** Engine hung: canary fails → last sync → hand-over → DNS sees it → TTL passes. */
    sickHolder: z.object({
      stages: z.array(Stage),
      totalSeconds: z.number(),
    }),
  }),
  rpo: z.object({
    predictedSeconds: z.number(),
    objectiveSeconds: z.number(),
    stages: z.array(Stage),
  }),
});

/** What everything costs beside one region, from the configuration's figures; refused at preview when over. */
export const CostOutput = z.object({
  /** By site, and `witness`. */
  monthlyUsd: z.record(z.string(), z.number()),
  oneRegionMonthlyUsd: z.number(),
  totalMonthlyUsd: z.number(),
  /** `totalMonthlyUsd` over `oneRegionMonthlyUsd`. */
  factor: z.number(),
  maximumFactor: z.number(),
});

export const SiteOutputs = z.object({
  kind: z.literal('site'),
  site: z.string(),
  platform: z.enum(['dedicated', 'aws']),
  peerSite: z.string(),
  servers: z.array(Server),
  /** Addresses of all that answer for the zone, where this site is one of them. */
  nameservers: z.array(z.string()).optional(),
  serviceUrl: z.string(), // https://api.example.com
  siteUrl: z.string(), // https://uk.example.com
  peerUrl: z.string(),
  dnsTtlSeconds: z.number(),
  switchingMode: z.string(),
  configHash: z.string(),
  modelName: z.string(),
  modelSha256: z.string(),
  qdrantVersion: z.string(),
  budget: BudgetOutput,
  /** Absent while the configuration says nothing of costs. */
  cost: CostOutput.optional(),
  /** PEM of the authority that the edges' certificates chain to; absent: the system's authorities. */
  caCertificate: z.string().optional(),
});

export const WitnessOutputs = z.object({
  kind: z.literal('witness'),
  zone: z.string(),
  serviceHost: z.string(),
  servers: z.array(Server),
  nameservers: z.array(z.string()),
  storeEndpoint: z.string(),
  storeRegion: z.string(),
  leaseBucket: z.string(),
  snapshotBucket: z.string(),
  /** PEM of the authority that the witness's certificate chains to; absent: the system's authorities. */
  caCertificate: z.string().optional(),
  /** With platform aws. */
  aws: z
    .object({
      accountId: z.string(),
      namePrefix: z.string(),
      leaseBucketArn: z.string(),
      snapshotBucketArn: z.string(),
      /** Of the buckets above. */
      storeKeyArn: z.string(),
      /** By region: where logs go, and the key that they are encrypted with. */
      logs: z.record(z.string(), z.object({ bucket: z.string(), bucketArn: z.string(), keyArn: z.string() })),
      /** By region: the key of the secrets, and each secret's ARN by its name. Two regions, or none without sites on aws. */
      secrets: z.record(z.string(), z.object({ keyArn: z.string(), arns: z.record(z.string(), z.string()) })),
    })
    .optional(),
  /** With dnsProvider route53. */
  route53: z.object({ zoneId: z.string(), alertTopicArn: z.string() }).optional(),
  // Secret outputs; sites read them through a stack reference.
  clientKey: z.string(),
  operatorKey: z.string(),
  peerKey: z.string(),
  qdrantKey: z.string(),
  vllmKey: z.string(),
  repositoryKey: z.string(),
  tsigKey: z.string(),
  /** Per site: its account at the object store. */
  storeAccounts: z.record(z.string(), z.object({ accessKey: z.string(), secretKey: z.string() })),
});

export type Stage = z.output<typeof Stage>;
export type BudgetOutput = z.output<typeof BudgetOutput>;
export type CostOutput = z.output<typeof CostOutput>;
export type SiteOutputs = z.output<typeof SiteOutputs>;
export type WitnessOutputs = z.output<typeof WitnessOutputs>;
