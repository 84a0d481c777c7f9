import { execFileSync, spawn } from 'node:child_process'
import { chownSync, globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import type { Test } from 'tap'
import { unprivileged } from './postgres-server.ts'
import { end, eventually, freePort } from './process.ts'

/** Where Debian has the programs of PostgreSQL, which the npm package of the other tests lacks: `pg_dump` and the like. */
const programs = globSync('/usr/lib/postgresql/*/bin').toSorted()[0]

/** For `t.test(name, { skip: withoutSystemPostgres }, …)`: false if they are installed, otherwise the reason. */
export const withoutSystemPostgres = programs === undefined ? 'not installed: postgresql' : false

/** A folder of the server's user, and PostgreSQL's programs in it. */
export interface SystemPostgres {
  readonly folder: string
  /** Runs lines of a shell in the folder, with PostgreSQL's programs in its path. */
  shell(lines: string, env?: Readonly<Record<string, string>>): string
  /** Serves the data of a subfolder until it is stopped or `test` ends. */
  serve(
    data: string,
    settings: Readonly<Record<string, string>>,
  ): Promise<{ url: string; stop: () => Promise<void> }>
}

/** A folder for clusters of the machine's own PostgreSQL; removed when `test` ends. */
export function systemPostgres(test: Pick<Test, 'teardown'>): SystemPostgres {
  const folder = mkdtempSync(join(tmpdir(), 'auth-movies-backup-'))
  test.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const { uid, gid } = unprivileged
  if (uid !== undefined) chownSync(folder, uid, gid)
  const PATH = `${programs}:${process.env.PATH}`
  return {
    folder,
    shell(lines, env = {}) {
      const options = {
        ...unprivileged,
        cwd: folder,
        env: { PATH, HOME: folder, ...env },
        encoding: 'utf8',
      } as const
      return execFileSync('/bin/bash', ['-euc', lines], { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    },
    async serve(data, settings) {
      const port = await freePort()
      const options = {
        port: String(port),
        listen_addresses: '127.0.0.1',
        unix_socket_directories: '',
        ...settings,
      }
      const args = Object.entries(options).flatMap(([name, value]) => ['-c', `${name}=${value}`])
      const child = spawn(join(programs ?? '', 'postgres'), ['-D', join(folder, data), ...args], {
        ...unprivileged,
        cwd: folder,
        env: { PATH },
        stdio: 'ignore',
      })
      const stop = () => end(child, 'SIGINT')
      test.teardown(stop)
      const url = `postgresql://postgres@127.0.0.1:${port}/postgres`
      await eventually(async () => {
        const client = new Client({ connectionString: url })
        client.on('error', () => {})
        await client.connect()
        const { rows } = await client.query(
          'SELECT FROM pg_is_in_recovery() AS recovering WHERE NOT recovering',
        )
        await client.end()
        if (rows.length === 0) throw new Error('It still recovers.')
      }, 30_000)
      return { url, stop }
    },
  }
}
