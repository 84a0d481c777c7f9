import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { parse } from 'yaml'
import manifest from '../../package.json' with { type: 'json' }
import { providers } from '../../plugins/index.ts'
import { readConfig } from '../../src/config/config.ts'
import { findProgram } from '../support/process.ts'
import { goProgram, runTool, skipWithout, workFolder } from '../support/tools.ts'

// The files for one machine: compose.yaml as Docker Compose understands it, and the unit as systemd judges it.

const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url))
const unit = await readFile(join(deploy, 'systemd/auth-movies.service'), 'utf8')

const Service = Type.Object({
  image: Type.String(),
  environment: Type.Optional(Type.Record(Type.String(), Type.Union([Type.String(), Type.Null()]))),
  ports: Type.Optional(
    Type.Array(Type.Object({ host_ip: Type.Optional(Type.String()), published: Type.String() })),
  ),
  networks: Type.Record(Type.String(), Type.Unknown()),
  read_only: Type.Literal(true),
  cap_drop: Type.Tuple([Type.Literal('ALL')]),
  security_opt: Type.Tuple([Type.Literal('no-new-privileges:true')]),
  stop_grace_period: Type.Optional(Type.String()),
})
const Project = Type.Object({ services: Type.Record(Type.String(), Service) })

const filledIn: Readonly<Record<string, string>> = {
  POSTGRES_PASSWORD: '0123456789abcdef',
  SECRET_KEYS: randomBytes(32).toString('base64'),
  YANDEX_CLIENT_ID: 'id',
  YANDEX_CLIENT_SECRET: 'secret',
}

t.test(
  'compose.yaml is understood, asks for what is missing, and starts in the right order',
  {
    skip: skipWithout('go'),
  },
  async (t) => {
    // The library behind `docker compose config`.
    const compose = await goProgram('github.com/compose-spec/compose-go/v2/cmd@v2.10.1')
    const work = await workFolder(t, 'compose')
    await mkdir(join(work, 'deploy'))
    const file = join(work, 'deploy/compose.yaml')
    const text = await readFile(join(deploy, 'compose.yaml'), 'utf8')
    const example = await readFile(join(deploy, '.env.example'), 'utf8')
    const lines = example.replaceAll(/(?<=^([A-Z_]+)=)$/gm, (_end, name: string) => filledIn[name] ?? '')
    await writeFile(join(work, 'deploy/.env'), lines)
    const resolve = async (composed: string) => {
      await writeFile(file, composed)
      return await runTool(compose, [file], { cwd: join(work, 'deploy') })
    }
    await t.rejects(resolve(text), /required variable [A-Z_]+ is missing a value/, 'it says what is missing')
    // `docker compose` takes what stands in braces from `.env`; its library leaves that to the caller.
    const values = parseEnv(lines)
    const braces = /\$\{(\w+)(?::?[-?]([^}]*))?\}/g
    const resolved = await resolve(
      text.replaceAll(braces, (_all, name: string, or = '') => values[name] ?? or),
    )
    const { services } = Value.Parse(Project, parse(resolved))
    t.strictSame(Object.keys(services).toSorted(), ['auth-movies', 'migrate', 'postgres', 'proxy', 'redis'])
    const set = Object.entries(services['auth-movies']?.environment ?? {})
    const variables = {
      ...values,
      ...Object.fromEntries(set.map(([name, value]) => [name, value ?? undefined])),
    }
    t.strictSame(readConfig(variables, providers).warnings, [], 'strict mode starts by these')
    t.equal(services['auth-movies']?.image, `auth-movies:${manifest.version}`)
    t.strictSame(Object.keys(services.postgres?.networks ?? {}), ['stores'], 'the stores reach nobody')
    const published = Object.values(services).flatMap(({ ports = [] }) => ports)
    t.strictSame(
      published.filter(({ host_ip }) => host_ip !== '127.0.0.1').map(({ published: port }) => port),
      ['80', '443'],
      'the proxy alone is open to others',
    )
  },
)

const analyze = findProgram('systemd-analyze')

t.test(
  'systemd accepts the unit, and finds little to take away',
  {
    skip: analyze === undefined ? 'not installed: systemd' : false,
  },
  async (t) => {
    const work = await workFolder(t, 'systemd')
    const file = join(work, 'auth-movies.service')
    // Its paths are those of the machine that it is for.
    const paths = unit.replaceAll('/usr/local/bin/node', process.execPath).replace('/opt/auth-movies', work)
    await writeFile(file, paths)
    const judge = (...args: readonly string[]) =>
      execFileSync(analyze ?? '', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    t.equal(judge('verify', '--man=no', file), '')
    judge('security', '--offline=yes', '--threshold=15', file)
    const open = join(work, 'open.service')
    await writeFile(
      open,
      paths.replaceAll(/^(Protect|Private|Restrict|Capability|SystemCall|NoNew|Dynamic).*$/gm, ''),
    )
    t.throws(() => judge('security', '--offline=yes', '--threshold=15', open), 'it does judge')
    t.match(unit, /^ExecStart=\/usr\/local\/bin\/node --max-semi-space-size=8 src\/main\.ts$/m)
    t.ok(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]) > 15, 'time for what runs')
  },
)
