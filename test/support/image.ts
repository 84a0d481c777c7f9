import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { findProgram } from './process.ts'
import { runTool } from './tools.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const buildah = findProgram('buildah')
const busybox = findProgram('busybox')

/**
 * For `t.test(name, { skip: withoutBuildah }, …)`: false if images can be built here, otherwise the reason. Building
 * changes into the image's own root, which only root may.
 */
export const withoutBuildah =
  buildah === undefined || busybox === undefined
    ? 'not installed: buildah, busybox-static'
    : process.getuid?.() === 0
      ? false
      : 'images are built by root alone'

/** Builds images from this repository's Dockerfile, and runs them. */
export interface Builder {
  /** @returns the reference of the image; without a target, that of the last stage */
  build(target?: string): Promise<string>
  /** What the image says of itself. */
  inspect(image: string): Promise<unknown>
  /** A container of it: a command line before which a command of the image can be put, with these variables. */
  container(image: string, env?: Readonly<Record<string, string>>): Promise<readonly [string, ...string[]]>
}

/**
 * A builder with a store of its own, removed when `test` ends. No registry of images is needed: in place of the base that
 * the Dockerfile pins, it makes one from the Node, npm and libraries of this machine.
 */
export async function imageBuilder(test: Pick<Test, 'teardown'>, commit: string): Promise<Builder> {
  const folder = await mkdtemp(join(await storeParent(), 'auth-movies-images-'))
  const store = ['--root', join(folder, 'store'), '--runroot', join(folder, 'run')]
  const call = (command: string, ...args: readonly string[]) =>
    runTool('buildah', [command, ...store, ...args], { cwd: root })
  test.teardown(async () => {
    await call('rm', '--all')
    rmSync(folder, { recursive: true, force: true })
  })
  const base = join(folder, 'base')
  makeBase(base)
  writeFileSync(join(folder, 'Base'), `FROM scratch\nCOPY . /\nENV PATH=/usr/local/bin:/bin${certificates}\n`)
  await call('bud', '-q', '-t', 'localhost/base', '-f', join(folder, 'Base'), base)
  rmSync(base, { recursive: true })

  const unconfined = ['--isolation', 'chroot', '--network', 'host']
  return {
    async build(target) {
      const image = `localhost/${target ?? 'auth-movies'}`
      const stage = target === undefined ? [] : ['--target', target]
      const variables = ['--build-arg', 'BASE=localhost/base', '--build-arg', `COMMIT=${commit}`]
      // The format of Docker, as the other one has no HEALTHCHECK. Layers are kept for the next target.
      const format = ['--format', 'docker', '--layers', '-q']
      await call('bud', ...unconfined, ...format, ...variables, ...stage, '-t', image, '.')
      return image
    },
    async inspect(image) {
      return JSON.parse(await call('inspect', '--type', 'image', image))
    },
    async container(image, env = {}) {
      const name = (await call('from', image)).trim()
      const variables = Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`])
      return ['buildah', 'run', ...store, ...unconfined, ...variables, name, '--']
    },
  }
}

/** Where layers go: into memory if there is enough, since a build writes and copies a hundred thousand small files. */
async function storeParent(): Promise<string> {
  const memory = await statfs('/dev/shm').catch(() => undefined)
  return memory !== undefined && memory.bavail * memory.bsize > 5 * 2 ** 30 ? '/dev/shm' : tmpdir()
}

/** This machine's certificates, as registries may be reached through a proxy that has one of its own. */
const bundle = '/etc/ssl/certs/ca-certificates.crt'
const certificates = ` NODE_EXTRA_CA_CERTS=${bundle}`

function makeBase(base: string): void {
  const copy = (from: string, to = from) => {
    mkdirSync(dirname(join(base, to)), { recursive: true })
    cpSync(realpathSync(from), join(base, to), { recursive: true })
  }
  const link = (target: string, path: string) => {
    mkdirSync(dirname(join(base, path)), { recursive: true })
    symlinkSync(target, join(base, path))
  }
  copy(busybox ?? '', '/bin/busybox')
  for (const name of ['sh', 'env', 'ls', 'find', 'rm', 'mkdir', 'chown', 'id'])
    link('busybox', `/bin/${name}`)
  link('/bin/env', '/usr/bin/env')
  copy(process.execPath, '/usr/local/bin/node')
  const libraries = execFileSync('ldd', [process.execPath], { encoding: 'utf8' })
  for (const [path] of libraries.matchAll(/\/\S+/g)) copy(path)
  // Names of hosts are looked up by libraries that are loaded on demand.
  const folder = dirname(/\/\S+libc\.so\.6/.exec(libraries)?.[0] ?? '/lib/libc.so.6')
  for (const name of ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2']) copy(join(folder, name))
  const npm = realpathSync(findProgram('npm') ?? '')
  copy(join(dirname(npm), '..'), '/usr/local/lib/node_modules/npm')
  for (const name of ['npm', 'npx'])
    link(`../lib/node_modules/npm/bin/${name}-cli.js`, `/usr/local/bin/${name}`)
  link('../lib/node_modules/npm/bin/npm-cli.js', '/usr/local/bin/corepack')
  copy(bundle)
  mkdirSync(join(base, 'tmp'))
  chmodSync(join(base, 'tmp'), 0o1777)
  mkdirSync(join(base, 'root'))
  writeFileSync(join(base, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n')
  writeFileSync(join(base, 'etc/group'), 'root:x:0:\n')
}
