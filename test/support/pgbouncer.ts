import { spawn } from 'node:child_process'
import { chmod, mkdtemp, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type t from 'tap'
import { unprivileged } from './postgres-server.ts'
import { eventually, findProgram, freePort, onLoopback, startServerProcess } from './process.ts'

type Test = Pick<typeof t, 'teardown'>

const program = findProgram('pgbouncer')

/** For `t.test(name, { skip: withoutPgBouncer }, …)`: false if there is a PgBouncer, otherwise the reason. */
export const withoutPgBouncer: string | false = program === undefined ? 'pgbouncer is not installed' : false

/**
 * Starts a PgBouncer in transaction mode on a free port of loopback; removed when `test` ends.
 * @param url the server behind it, with user and password
 * @param settings of its configuration (`{ ignore_startup_parameters: 'options' }`)
 * @returns `url` with PgBouncer's host and port
 */
export async function startPgBouncer(
  test: Test,
  url: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { hostname, port: behind, username, password } = new URL(url)
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'auth-movies-pgbouncer-'))
  await chmod(folder, 0o755)
  await writeFile(join(folder, 'users'), `"${username}" "${password}"\n`)
  const options = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'plain',
    auth_file: join(folder, 'users'),
    pool_mode: 'transaction',
    default_pool_size: 5,
    ...settings,
  }
  const lines = Object.entries(options).map(([name, value]) => `${name} = ${value}`)
  await writeFile(
    join(folder, 'pgbouncer.ini'),
    ['[databases]', `* = host=${hostname} port=${behind}`, '[pgbouncer]', ...lines, ''].join('\n'),
  )
  const server = await startServerProcess({
    launch: () =>
      spawn(program ?? 'pgbouncer', ['-q', join(folder, 'pgbouncer.ini')], {
        ...unprivileged,
        cwd: folder,
        stdio: 'ignore',
      }),
    ready: () => eventually(() => listens(port)),
    folders: [folder],
    stopSignal: 'SIGINT',
    removeSignal: 'SIGKILL',
  })
  test.teardown(() => server.remove())
  return onLoopback(url, port)
}

/** @throws if no server listens on this port of loopback */
async function listens(port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      socket.destroy()
      resolve()
    })
    socket.on('error', reject)
  })
}
