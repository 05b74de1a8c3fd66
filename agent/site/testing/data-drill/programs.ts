import { findVersitygw } from '../../../lease/testing/versitygw';
import { findQdrant } from '../real-qdrant';
import { findRestic } from '../restic';
import type { Programs } from './drill-site';

/** What the toolchain has built, or the environment names; refuses to drill without. */
export function findPrograms(): Omit<Programs, 'agent'> {
  return {
    qdrant: required('Qdrant', 'QDRANT_BIN', findQdrant()),
    restic: required('restic', 'RESTIC_BIN', findRestic()),
    versitygw: required('the object store', 'VERSITYGW_BIN', findVersitygw()),
  };
}

function required(what: string, variable: string, found: string | undefined): string {
  if (found !== undefined) return found;
  throw new Error(`${what} is not built yet: run lab/lab prepare, or name an executable in ${variable}`);
}
