// The process of the embedded database: `embedded-server.ts DATA-DIRECTORY LOCK-FILE SOCKET-FOLDER`, started by
// embedded.ts. It ends when the channel to its parent closes, even if the parent was killed.

import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import type { Report } from './embedded.ts'
import { announce, takeLock } from './embedded.ts'
import { ClientFrames } from './embedded-frames.ts'

const [directory = '', lock = '', wanted = ''] = process.argv.slice(2)

// Ctrl-C reaches the whole process group, but the service must stop before the database.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

/** Closes what was opened so far, to be called in reverse order. The lock of another process is not among it. */
const opened: (() => Promise<unknown>)[] = []

async function stop(): Promise<void> {
  for (const close of opened.splice(0).toReversed()) await close()
}

process.once('disconnect', () => {
  stop().then(
    () => process.exit(0),
    () => process.exit(1),
  )
})

async function serve(): Promise<Report> {
  const holder = await takeLock(lock)
  if (holder !== undefined) return { kind: 'held', holder }
  opened.push(() => rm(lock, { force: true }))
  const database = await PGlite.create(directory)
  opened.push(() => database.close())
  const folder = await socketFolder()
  opened.push(() => rm(folder, { recursive: true, force: true }))
  // Clients derive the name of their socket from folder and port; PGlite's own socket is behind that one.
  const behind = join(folder, 'pglite')
  const server = new PGLiteSocketServer({ db: database, path: behind, maxConnections: 100 })
  await server.start()
  opened.push(() => server.stop())
  await guard(join(folder, socketName), behind)
  await announce(lock, folder)
  return { kind: 'serving', folder }
}

const socketName = '.s.PGSQL.5432'
// sun_path of unix(7) is 108 bytes with its NUL; that of macOS 104.
const longestSocketPath = 103

/**
 * A folder that only this user can enter. It is the only protection, as the database has no password. It is beside the
 * data, or in the system's temporary folder where that path is too long for a socket.
 */
async function socketFolder(): Promise<string> {
  if (Buffer.byteLength(join(wanted, socketName)) > longestSocketPath)
    return await mkdtemp(join(tmpdir(), 'auth-movies-'))
  // A process that was killed leaves its sockets behind.
  await rm(wanted, { recursive: true, force: true })
  await mkdir(wanted, { mode: 0o700 })
  return wanted
}

/** Listens at `path` and forwards only messages of a client of PostgreSQL to the socket behind it. */
async function guard(path: string, behind: string): Promise<void> {
  const sockets = new Set<{ destroy(): unknown }>()
  const server = createServer((client) => {
    const inner = connect(behind)
    for (const socket of [client, inner]) {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    }
    const end = () => {
      client.destroy()
      inner.destroy()
    }
    pipeline(client, new ClientFrames(), inner, end)
    pipeline(inner, client, end)
  })
  server.listen(path)
  await once(server, 'listening')
  opened.push(async () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
}

const report = await serve().catch(async (error: unknown): Promise<Report> => {
  await stop().catch(() => {})
  return { kind: 'broken', reason: error instanceof Error ? error.message : String(error) }
})
process.send?.(report, () => {
  if (report.kind !== 'serving') process.exit(1)
})
