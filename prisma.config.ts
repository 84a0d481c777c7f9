import { defineConfig } from 'prisma/config'

// `generate` and `validate` need no schema engine binary; a path that exists keeps Prisma from downloading
// one. Not an executable: `prisma migrate diff` would hang on it (docs/decisions/0002-prisma.md).
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= import.meta.filename

export default defineConfig({ schema: 'prisma/schema.prisma', migrations: { path: 'prisma/migrations' } })
