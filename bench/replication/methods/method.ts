/** What a method is told of the place that its step runs in. */
export interface MethodInput {
  /** Of the Qdrant in this place, on loopback. */
  readonly port: number;
  /** That Qdrant's folder. */
  readonly folder: string;
  /** The other site's Qdrant, as seen from here. */
  readonly peer: string;
  /** The object store, as seen from here. */
  readonly endpoint: string;
  /** The method's own. */
  readonly bucket: string;
  /** What the method keeps in this place from step to step. */
  readonly state: string;
  /** Executable of the backup engine. */
  readonly restic: string;
}

/** By its name on the worker's command line. */
export const METHODS = ['ours', 'full', 'scroll'] as const;
export type MethodName = (typeof METHODS)[number];

export const METHOD_TITLES: Readonly<Record<MethodName, string>> = {
  ours: 'ours',
  full: 'full snapshot + rclone',
  scroll: 'scroll + upsert',
};

/** Where the steps of each run, one after the other. */
export const STEPS: Readonly<
  Record<MethodName, readonly { readonly step: string; readonly place: 'uk' | 'eu' }[]>
> = {
  ours: [
    { step: 'publish', place: 'uk' },
    { step: 'apply', place: 'eu' },
  ],
  full: [
    { step: 'publish', place: 'uk' },
    { step: 'apply', place: 'eu' },
  ],
  scroll: [{ step: 'copy', place: 'uk' }],
};
