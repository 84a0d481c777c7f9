// The process of the embedded database: `embedded-server.ts DATA-DIRECTORY LOCK-FILE`, started by embedded.ts.
// It ends when the channel to its parent closes, whatever became of the parent.

import { rm } from 'node:fs/promises'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import type { Report } from './embedded.ts'
import { announce, takeLock } from './embedded-lock.ts'

const [directory = '', lock = ''] = process.argv.slice(2)

// Ctrl-C reaches the whole process group: the database must outlive the service, which stops first.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

let stop = async () => {}
process.once('disconnect', () => {
  stop().then(
    () => process.exit(0),
    () => process.exit(1),
  )
})

async function serve(): Promise<Report> {
  const holder = await takeLock(lock)
  if (holder !== undefined) return { kind: 'held', holder }
  stop = () => rm(lock, { force: true })
  const database = await PGlite.create(directory)
  stop = async () => {
    await database.close()
    await rm(lock, { force: true })
  }
  const server = new PGLiteSocketServer({ db: database, host: '127.0.0.1', port: 0, maxConnections: 100 })
  await server.start()
  const port = Number(server.getServerConn().split(':').at(-1))
  await announce(lock, port)
  stop = async () => {
    await server.stop()
    await database.close()
    await rm(lock, { force: true })
  }
  return { kind: 'serving', port }
}

const report = await serve().catch(async (error: unknown): Promise<Report> => {
  await rm(lock, { force: true })
  return { kind: 'broken', reason: error instanceof Error ? error.message : String(error) }
})
process.send?.(report, () => {
  if (report.kind !== 'serving') process.exit(1)
})
