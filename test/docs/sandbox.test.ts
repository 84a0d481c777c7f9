import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { parse } from 'yaml'
import manifest from '../../package.json' with { type: 'json' }
import { faultGroups, faultIds, faultOf } from '../../sandbox/faults/catalogue.ts'
import { faultTexts, seenInWords } from '../../sandbox/faults/texts.ts'
import { emptyFolder, freePorts } from '../support/npm-start.ts'
import { codeBlocks, readText, root, tableRows } from './markdown.ts'

const execute = promisify(execFile)
const page = await readText('docs/en/sandbox.md')

/** The block of the page that begins so. */
function block(begin: string): string {
  const found = codeBlocks(page).find(({ text }) => text.startsWith(begin))
  if (found === undefined) throw new Error(`sandbox.md has no block that begins with ${begin}.`)
  return found.text
}

/** The lines of a block of YAML that start the sandbox and wait for it. */
function startLines(yaml: string): string[] {
  const lines: string[] = []
  const visit = (value: unknown): void => {
    if (typeof value === 'string') lines.push(...value.split('\n'))
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(visit)
  }
  visit(parse(yaml))
  return lines.filter((line) => /npm run|sandbox\.json/.test(line))
}

for (const language of ['en', 'ru'] as const)
  t.test(`the tables of faults are those of the catalogue: ${language}`, async (t) => {
    const rows = tableRows(await readText(`docs/${language}/sandbox.md`)).filter(
      ([name = '']) => !name.includes('--'),
    )
    const expected = faultGroups.flatMap((group) =>
      faultIds
        .filter((id) => faultOf(id).group === group)
        .map((id) => {
          const { happens, sees, should } = faultTexts[language].faults[id]
          const seen = [seenInWords(faultOf(id).sees, language), sees].filter((part) => part !== undefined)
          return [`\`${id}\``, happens, seen.join(' '), should]
        }),
    )
    t.strictSame(rows, expected)
  })

t.test('the commands of the page: start as in CI, set a fault, look, take it away', async (t) => {
  const command = block('npm run').trim()
  const [github, gitlab] = [startLines(block('jobs:')), startLines(block('login:'))]
  t.strictSame(gitlab, github, 'both start it in the same way')
  t.ok(github[0]?.startsWith(command), 'by the command of the page')
  t.match(manifest.scripts.sandbox, /exec node sandbox\/alone\.ts$/)

  const folder = await emptyFolder(t)
  const ports = await freePorts()
  // npm would do the same, in the folder of the repository.
  const npm = `npm() { shift 4; exec "${process.execPath}" "${join(root, 'sandbox/alone.ts')}" "$@"; }`
  const shell = spawn('bash', ['-euc', [npm, ...github, 'echo started; wait'].join('\n')], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH, TMPDIR: folder, SANDBOX_SITE_ID: 'my-site', ...ports },
  })
  t.teardown(() => {
    if (shell.pid !== undefined && shell.exitCode === null) process.kill(-shell.pid, 'SIGTERM')
  })
  await once(shell.stdout, 'data')
  const line: Record<string, unknown> = JSON.parse(await readFile(join(folder, 'sandbox.json'), 'utf8'))
  t.equal(line.site_id, 'my-site')
  t.strictSame(Object.keys(line), Object.keys(JSON.parse(block('{'))), 'the sample has the same members')

  const variables = {
    AUTH: String(line.service_url),
    SANDBOX: String(line.sandbox_url),
    SITE_ID: String(line.site_id),
    SITE_SECRET: String(line.site_secret),
    REDIRECT_URL: 'http://127.0.0.1:8000/return',
  }
  const run = async (begin: string): Promise<unknown> => {
    const { stdout } = await execute('bash', ['-euc', block(begin)], {
      env: { PATH: process.env.PATH, ...variables },
    })
    return JSON.parse(stdout)
  }
  t.match(await run('curl -sS "$AUTH/api'), { state: /./, authorize_url: /sandbox_fault=error-500/ })
  const set = [{ provider: 'yandex', fault: 'error-500', times: 1 }]
  t.match(await run(`curl -sS "$SANDBOX/faults" -H`), { set })
  t.match(await run('curl -sS "$SANDBOX/faults"\n'), { set, faults: faultIds.map((id) => ({ id })) })
  t.strictSame(await run('curl -sS -X DELETE'), { set: [] })

  const ended = once(shell, 'exit')
  if (shell.pid !== undefined) process.kill(-shell.pid, 'SIGTERM')
  await ended
})
