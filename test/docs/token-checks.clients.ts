import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { decodeJwt, decodeProtectedHeader, importPKCS8, SignJWT } from 'jose'
import type { Test } from 'tap'
import t from 'tap'
import { anotherSite, logInAt } from '../sessions/http/session-requests.ts'
import { ownAccessKey } from '../support/forge.ts'
import { end } from '../support/process.ts'
import type { TestService } from '../support/service.ts'
import { sharedSecretKeys, startTestService } from '../support/service.ts'
import { copyLibraries, go, maven, python, runTool, skipWithout, workFolder } from '../support/tools.ts'
import { readGuide } from './guide.ts'

// The guide's checks of an access token in other languages, run as they stand. Each program of token-checks/ reads
// tokens from standard input and prints for each the user that its sample tells, or "refused" and why.

const { checks } = await readGuide('en', 'site-administrators')

/** A token, and whether a check must take it; `why` names the case. */
interface Case {
  readonly why: string
  readonly token: string
  readonly isRight: boolean
}

const services = {
  EdDSA: await startTestService(t, { reachable: true, env: { TOKEN_ALG: 'EdDSA' } }),
  ES256: await startTestService(t, { reachable: true, env: { TOKEN_ALG: 'ES256' } }),
}
type Algorithm = keyof typeof services
const algorithms = ['EdDSA', 'ES256'] as const
const otherSites = {
  EdDSA: anotherSite(services.EdDSA, 'other'),
  ES256: anotherSite(services.ES256, 'other'),
}

/** The right token of a living login, and everything near it that is none. */
async function casesOf(algorithm: Algorithm): Promise<readonly Case[]> {
  const service: TestService = services[algorithm]
  const { accessToken, refreshToken } = await logInAt(service)
  const { accessToken: ofOtherSite } = await logInAt(service, (await otherSites[algorithm]).url)
  const header = decodeProtectedHeader(accessToken)
  const claims = decodeJwt(accessToken)
  const own = await importPKCS8(
    (await ownAccessKey(service.database, sharedSecretKeys)).privatePem,
    algorithm,
  )
  /** As the service would have signed it, with another header or other claims. */
  const changed = (one: { readonly header?: object; readonly claims?: object }) =>
    new SignJWT({ ...claims, ...one.claims })
      .setProtectedHeader({ ...header, ...one.header, alg: algorithm })
      .sign(own)
  const expiredSince = (seconds: number) => {
    const exp = Math.floor(Date.now() / 1000) - seconds
    return { iat: exp - 900, exp }
  }
  const [head, body, signature = ''] = accessToken.split('.')
  const wrong = {
    'the refresh token': refreshToken,
    'a token of another site': ofOtherSite,
    'a token that expired two minutes ago': await changed({ claims: expiredSince(120) }),
    'a token of another issuer': await changed({ claims: { iss: 'https://other.example' } }),
    'a token of another type': await changed({ header: { typ: 'JWT' } }),
    'a token without its type': await changed({ header: { typ: undefined } }),
    'a token with another signature': [head, body, signature.split('').toReversed().join('')].join('.'),
    'no token': 'x',
  }
  return [
    { why: 'the access token', token: accessToken, isRight: true },
    {
      why: 'a token that expired ten seconds ago, by a clock that is ahead',
      token: await changed({ claims: expiredSince(10) }),
      isRight: true,
    },
    ...Object.entries(wrong).map(([why, token]) => ({ why, token, isRight: false })),
  ]
}

/** Gives every token to a program and compares what it says. */
async function judges(
  test: Test,
  algorithm: Algorithm,
  program: string,
  args: readonly string[],
  cwd: string,
): Promise<void> {
  const service = services[algorithm]
  const cases = await casesOf(algorithm)
  const env = { ...process.env, AUTH: service.url, SITE_ID: service.site.id }
  const child = spawn(program, args, { cwd, env, stdio: ['pipe', 'pipe', 'inherit'] })
  test.teardown(() => end(child, 'SIGKILL'))
  const ended = once(child, 'close')
  child.stdin.end(cases.map(({ token }) => `${token}\n`).join(''))
  const said = (await textOf(child.stdout)).trimEnd().split('\n')
  await ended
  test.equal(child.exitCode, 0)
  test.equal(said.length, cases.length)
  for (const [index, { why, token, isRight }] of cases.entries())
    if (isRight) test.equal(said[index], decodeJwt(token).sub, `${algorithm}: ${why}`)
    else test.match(said[index], /^refused /, `${algorithm}: ${why}`)
}

/** A folder with the program of this language and the guide's sample in it. */
async function programWith(
  test: Test,
  language: string,
  sampleFile: string,
  sample: string,
): Promise<string> {
  const folder = await workFolder(test, `check-${language}`)
  await cp(besideThis(language), folder, { recursive: true })
  await writeFile(join(folder, sampleFile), sample)
  return folder
}

function besideThis(path: string): string {
  return fileURLToPath(new URL(`token-checks/${path}`, import.meta.url))
}

function sampleIn(language: string): string {
  const sample = checks.get(language)
  if (sample === undefined) throw new Error(`The guide has no sample in ${language}.`)
  return sample
}

t.test('PyJWT', { skip: skipWithout('python') }, async (t) => {
  const folder = await programWith(t, 'python', 'sample.py', sampleIn('python'))
  const interpreter = await python(besideThis('python/requirements.txt'))
  for (const algorithm of algorithms) await judges(t, algorithm, interpreter, ['main.py'], folder)
})

t.test('go-oidc', { skip: skipWithout('go') }, async (t) => {
  const folder = await programWith(t, 'go', 'sample.go', `package main\n\n${sampleIn('go')}`)
  await go(['vet', '.'], { cwd: folder })
  await go(['build', '-o', 'check', '.'], { cwd: folder })
  for (const algorithm of algorithms) await judges(t, algorithm, join(folder, 'check'), [], folder)
})

t.test('Spring Security, which supports only ES256', { skip: skipWithout('java', 'maven') }, async (t) => {
  const sample = sampleIn('java')
  const imports = sample.match(/^import .*;$/gm) ?? []
  const method = sample.replaceAll(/^import .*;\n/gm, '')
  const source = `${imports.join('\n')}\nclass Sample {\n${method}}\n`
  const folder = await programWith(t, 'java', 'Sample.java', source)
  await maven(copyLibraries, { cwd: folder, minutes: 10 })
  await runTool('javac', ['-cp', 'libraries/*', 'Sample.java', 'Check.java'], { cwd: folder })
  await judges(t, 'ES256', 'java', ['-cp', '.:libraries/*', 'Check'], folder)
})

t.test('php-jwt: the sample is PHP', { skip: skipWithout('php') }, async (t) => {
  const folder = await workFolder(t, 'check-php')
  const file = join(folder, 'sample.php')
  await writeFile(file, `<?php\n${sampleIn('php')}`)
  t.match(await runTool('php', ['-l', file]), /No syntax errors/)
})

t.test('every sample of the guide has a test here, except php-jwt (parsed only) and .NET', async (t) => {
  t.strictSame([...checks.keys()], ['python', 'php', 'go', 'java', 'csharp'])
})
