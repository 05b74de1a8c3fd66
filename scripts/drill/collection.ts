/** The drill's own collection: made through the service, filled, looked through, removed. Nothing else is touched. */
import type { DataCheck } from './record';
import type { Service } from './service';
import { VECTOR_SIZE, vectorFor } from './vectors';

const PATIENCE_MS = 30_000;
const BATCH = 200;
const PAGE = 1_000;
const INDEXED_FIELD = 'seq';

export class DrillCollection {
  readonly alias: string;

  constructor(
    private readonly service: Service,
    readonly name: string,
    readonly points: number,
  ) {
    this.alias = `${name}-alias`;
  }

  get seedIds(): number[] {
    return Array.from({ length: this.points }, (_, i) => i + 1);
  }

  /** With a payload index and an alias, because snapshots carry neither by themselves. */
  async create(): Promise<void> {
    const path = `/collections/${this.name}`;
    await this.service.until200(
      { method: 'PUT', path, body: { vectors: { size: VECTOR_SIZE, distance: 'Cosine' } } },
      'creating the drill collection',
      PATIENCE_MS,
    );
    await this.service.until200(
      {
        method: 'PUT',
        path: `${path}/index?wait=true`,
        body: { field_name: INDEXED_FIELD, field_schema: 'integer' },
      },
      'creating its payload index',
      PATIENCE_MS,
    );
    await this.service.until200(
      {
        method: 'POST',
        path: '/collections/aliases',
        body: { actions: [{ create_alias: { collection_name: this.name, alias_name: this.alias } }] },
      },
      'creating its alias',
      PATIENCE_MS,
    );
    const ids = this.seedIds;
    for (let from = 0; from < ids.length; from += BATCH) {
      const points = ids
        .slice(from, from + BATCH)
        .map((id) => ({ id, vector: vectorFor(id), payload: { writer: 'seed', seq: id } }));
      await this.service.until200(
        { method: 'PUT', path: `${path}/points?wait=true`, body: { points } },
        'seeding points',
        PATIENCE_MS,
      );
    }
  }

  /** Scrolls through every point; what began before `at` and was acknowledged must be among them. */
  async check(now: () => number): Promise<DataCheck> {
    const at = now();
    const ids: number[] = [];
    let offset: unknown;
    let site: string | null = null;
    do {
      const answer = await this.service.until200(
        {
          method: 'POST',
          path: `/collections/${this.name}/points/scroll`,
          body: {
            limit: PAGE,
            with_payload: false,
            with_vector: false,
            ...(offset == null ? {} : { offset }),
          },
        },
        'scrolling through the drill collection',
        PATIENCE_MS,
      );
      site = answer.site ?? site;
      const result = (answer.body as { result?: { points?: { id: number }[]; next_page_offset?: unknown } })
        .result;
      ids.push(...(result?.points ?? []).map((point) => point.id));
      offset = result?.next_page_offset;
    } while (offset !== null && offset !== undefined);
    return { at, site, ids, indexPresent: await this.hasIndex(), aliasPresent: await this.hasAlias() };
  }

  async remove(): Promise<void> {
    await this.service.until200(
      {
        method: 'POST',
        path: '/collections/aliases',
        body: { actions: [{ delete_alias: { alias_name: this.alias } }] },
      },
      'deleting the drill alias',
      PATIENCE_MS,
      [404],
    );
    await this.service.until200(
      { method: 'DELETE', path: `/collections/${this.name}` },
      'deleting the drill collection',
      PATIENCE_MS,
      [404],
    );
  }

  private async hasIndex(): Promise<boolean> {
    const answer = await this.service.until200(
      { method: 'GET', path: `/collections/${this.name}` },
      'reading the drill collection',
      PATIENCE_MS,
    );
    const schema = (answer.body as { result?: { payload_schema?: Record<string, unknown> } }).result
      ?.payload_schema;
    return schema !== undefined && INDEXED_FIELD in schema;
  }

  private async hasAlias(): Promise<boolean> {
    const answer = await this.service.until200(
      { method: 'GET', path: `/collections/${this.name}/aliases` },
      'reading the aliases',
      PATIENCE_MS,
    );
    const aliases =
      (answer.body as { result?: { aliases?: { alias_name: string }[] } }).result?.aliases ?? [];
    return aliases.some((each) => each.alias_name === this.alias);
  }
}
