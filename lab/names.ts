/**
 * Names, addresses and folders of this checkout's lab. Everything carries a prefix derived from the checkout's path, so
 * that two checkouts' labs run side by side.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { REPOSITORY } from '../tools/cache';

export const PLACES = ['uk', 'eu', 'witness', 'client'] as const;
export type Place = (typeof PLACES)[number];
/** Places that have servers. */
export const SERVER_PLACES = ['uk', 'eu', 'witness'] as const;
export type ServerPlace = (typeof SERVER_PLACES)[number];

export const ZONE = 'failover.test';
export const STACKS = { witness: 'witness', uk: 'uk-primary', eu: 'eu-standby' } as const;

/** Folder of the lab's own state; never shared between checkouts, even where FAILOVER_CACHE is. */
export const LAB_FOLDER = path.join(REPOSITORY, '.cache', 'lab');

/** A server's name does not fit, or there is no such server. */
export class UnknownNameError extends Error {
  readonly code = 'UNKNOWN_NAME';
  constructor(what: string, got: string, allowed: readonly string[]) {
    super(`There is no ${what} "${got}" in this lab; there are: ${allowed.join(', ')}`);
    this.name = 'UnknownNameError';
  }
}

export interface Names {
  /** Prefix of namespaces and cgroups, such as `fo3a9c`. */
  readonly prefix: string;
  /** First two octets of every address. */
  readonly network: string;
  readonly third: number;
}

/** Derives the lab's names from the path of its checkout. */
export function namesFor(repository: string = REPOSITORY): Names {
  const digest = createHash('sha256').update(repository).digest();
  return {
    prefix: `fo${digest.toString('hex').slice(0, 4)}`,
    // 10.64.0.0/10 of the private range, one /24 a lab
    network: `10.${64 + (digest[0] ?? 0) / 4 - (((digest[0] ?? 0) / 4) % 1)}`,
    third: digest[1] ?? 0,
  };
}

const OFFSETS: Readonly<Record<Place, number>> = { uk: 0, eu: 64, witness: 128, client: 192 };

export function subnet(names: Names, place: Place): string {
  return `${names.network}.${names.third}.${OFFSETS[place]}/26`;
}

export function gateway(names: Names, place: Place): string {
  return `${names.network}.${names.third}.${OFFSETS[place] + 1}`;
}

/** Address of the nth server of a place (from 1); the client's own namespace is its first. */
export function address(names: Names, place: Place, index: number): string {
  return `${names.network}.${names.third}.${OFFSETS[place] + 9 + index}`;
}

export function namespace(names: Names, member: string): string {
  return `${names.prefix}-${member}`;
}

export interface Server {
  readonly name: string;
  readonly place: ServerPlace;
  readonly index: number;
}

export function serverOf(place: ServerPlace, index: number): Server {
  return { name: `${place}-${index}`, place, index };
}

/** Servers of a lab with so many in each place. */
export function servers(counts: Readonly<Record<ServerPlace, number>>): Server[] {
  return SERVER_PLACES.flatMap((place) =>
    Array.from({ length: counts[place] }, (_, number) => serverOf(place, number + 1)),
  );
}

export function placeOf(word: string): Place {
  const place = PLACES.find((candidate) => candidate === word);
  if (place === undefined) throw new UnknownNameError('place', word, PLACES);
  return place;
}
