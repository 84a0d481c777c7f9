import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { runProgram, serviceForClient } from '../openid/program.ts'
import { besideClients, go, python, skipWithout, workFolder } from '../support/tools.ts'

// Libraries of OpenID Connect in other languages, as their documentation has them: issuer, id and secret, and no more.

t.test('go-oidc and x/oauth2', { skip: skipWithout('go') }, async (t) => {
  const folder = await workFolder(t, 'go-oidc')
  await cp(besideClients('programs/go-oidc'), folder, { recursive: true })
  await go(['vet', '.'], { cwd: folder })
  await go(['build', '-o', 'login', '.'], { cwd: folder })
  t.match(await runProgram(await serviceForClient(t), join(folder, 'login')), {
    name: 'Анна Демидова',
    email: /@/,
    same: 'true',
    plain: 'profile email true',
    refreshed: 'true',
  })
})

for (const [name, redirectUri, expected] of [
  ['authlib', undefined, { same: 'true', refreshed: 'true', ended: '401' }],
  ['django', 'http://127.0.0.1:8765/complete/oidc/', { went: '/in', subject: /^[0-9a-f-]{36}$/ }],
] as const)
  t.test(`${name} in Python`, { skip: skipWithout('python') }, async (t) => {
    const interpreter = await python(besideClients(`programs/${name}/requirements.txt`))
    const program = besideClients(`programs/${name}/main.py`)
    const told = await runProgram(await serviceForClient(t, redirectUri), interpreter, [program])
    t.match(told, { name: 'Анна Демидова', email: /@/, ...expected })
  })
