/**
 * The numbers under which the processes of a deployment wait for each other (PostgreSQL's `pg_advisory_xact_lock`).
 * A database may be shared with other programs, so they are arbitrary; a number must never change while replicas of
 * two versions run side by side. Migrations use the number of Prisma's own tool (migrate.ts).
 */
export const advisoryLocks = {
  /** A change of the signing keys. */
  keys: 7_413_002,
  /** The sweep of ended sessions. */
  sweep: 7_413_003,
  /** A change of the sites. */
  sites: 7_413_004,
} as const
