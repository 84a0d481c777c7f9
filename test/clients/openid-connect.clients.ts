import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { filledBlock, linesMissingIn } from '../openid/guide-block.ts'
import { runProgram, serviceForClient } from '../openid/program.ts'
import { besideClients, go, python, skipWithout, workFolder } from '../support/tools.ts'

// Libraries of OpenID Connect in other languages, as their documentation has them: issuer, id and secret, and no more.

t.test('go-oidc and x/oauth2', { skip: skipWithout('go') }, async (t) => {
  const folder = await workFolder(t, 'go-oidc')
  await cp(besideClients('programs/go-oidc'), folder, { recursive: true })
  const program = join(folder, 'main.go')
  t.strictSame(await linesMissingIn(program, 'go', 'go'), [], 'the lines of the guide are those that run')
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

t.test('Authlib in Python', { skip: skipWithout('python') }, async (t) => {
  const interpreter = await python(besideClients('programs/authlib/requirements.txt'))
  const program = besideClients('programs/authlib/main.py')
  t.match(await runProgram(await serviceForClient(t), interpreter, [program]), {
    name: 'Анна Демидова',
    email: /@/,
    same: 'true',
    refreshed: 'true',
    ended: '401',
  })
})

t.test(
  'python-social-auth in Django, by the lines of the guide',
  { skip: skipWithout('python') },
  async (t) => {
    const interpreter = await python(besideClients('programs/django/requirements.txt'))
    const running = await serviceForClient(t, 'http://127.0.0.1:8765/complete/oidc/')
    const lines = await filledBlock('django', 'python', running)
    const told = await runProgram(running, interpreter, [besideClients('programs/django/main.py'), lines])
    t.match(told, { name: 'Анна Демидова', email: /@/, went: '/in', subject: /^[0-9a-f-]{36}$/ })
  },
)
