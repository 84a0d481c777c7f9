import t from 'tap'
import type { Program } from '../examples/run-example.ts'
import { skipWithout } from '../support/tools.ts'
import type { CheckOptions } from './checked-site.ts'
import { idsOf, nodeSite, pythonSite, reportOfProgram, startCheckingService } from './checked-site.ts'
import type { Changes } from './spoil.ts'
import { spoil, withoutComparison } from './spoil.ts'

// Each copy of an example has one fault, and the check finds exactly that.

const service = await startCheckingService(t)

interface Spoiled {
  readonly name: string
  /** The one point that must fail. */
  readonly fault: string
  readonly changes: Changes
  /** What the report says of it. */
  readonly seen: RegExp
  readonly options?: CheckOptions
}

const inNode: readonly Spoiled[] = [
  {
    name: 'state is not compared',
    fault: 'state-compared',
    changes: withoutComparison,
    seen: /another browser is logged in/,
  },
  {
    name: 'a repeated return is finished again',
    fault: 'finishes-once',
    changes: [
      ['      session.states = session.states.filter((one) => one !== state)\n', ''],
      [
        'openSession(response, pair(tokens))',
        'openSession(response, { ...pair(tokens), states: session.states })',
      ],
    ],
    seen: /2 times/,
  },
  {
    name: 'the session keeps its id',
    fault: 'session-renewed',
    changes: [
      [
        '      openSession(response, pair(tokens)) // with a new id\n      sessions.delete(session.id)',
        'Object.assign(session, pair(tokens))',
      ],
    ],
    seen: /from before the login/,
  },
  {
    name: 'no secret is sent',
    fault: 'sends-secret',
    changes: [['authorization = basic', "authorization = ''"]],
    seen: /no secret with start and finish/,
    options: { requireSecret: false },
  },
  {
    name: 'no secret is sent, and the service wants it',
    fault: 'login-begins',
    changes: [['authorization = basic', "authorization = ''"]],
    seen: /secret-required/,
  },
  {
    name: 'the error page shows a stack trace',
    fault: 'no-stack-trace',
    changes: [['error.status === undefined ? words.other : error.message', 'error.stack']],
    seen: /stack trace/,
  },
  {
    name: 'the error page repeats the code',
    fault: 'repeats-no-parameter',
    changes: [['failure(words.foreign, ', 'failure(`${words.foreign} (${code})`, ']],
    seen: /a parameter of the address/,
  },
  {
    name: 'the error page is JSON',
    fault: 'errors-are-readable',
    changes: [
      [
        'throw failure(words.foreign, { status: 400 })',
        "return response.writeHead(400, { 'content-type': 'application/json' }).end('{}')",
      ],
    ],
    seen: /application\/json/,
  },
  {
    name: 'the code stays in the address',
    fault: 'code-stays-private',
    changes: [
      [
        "redirect(response, '/') // to an address without state and code",
        "send(response, 200, undefined, '<p>Welcome</p>')",
      ],
      [", 'referrer-policy': 'same-origin'", ''],
    ],
    seen: /Referrer-Policy: none/,
  },
  {
    name: 'a refusal crashes',
    fault: 'survives-refusal',
    changes: [
      [
        'if (ours && error) throw failure(',
        "if (ours && error === 'access_denied') return response.writeHead(500).end('no')\n    if (ours && error) throw failure(",
      ],
    ],
    seen: /\/return answered 500/,
  },
  {
    name: 'only a refusal is expected in place of a code',
    fault: 'provider-busy',
    changes: [
      [
        'if (ours && error) throw failure(',
        "if (ours && error && error !== 'access_denied') return response.writeHead(500).end('no')\n    if (ours && error) throw failure(",
      ],
    ],
    seen: /answered 500/,
  },
  {
    name: 'long codes are cut off',
    fault: 'long-code',
    changes: [['{ provider, state, code })', '{ provider, state, code: code.slice(0, 1_000) })']],
    seen: /not logged in/,
  },
  {
    name: 'the name is not escaped',
    fault: 'name-is-escaped',
    changes: [['escape(who.name ?? who.id)', '(who.name ?? who.id)']],
    seen: /as HTML/,
  },
  {
    name: 'a login begins by GET, too',
    fault: 'begins-by-post',
    changes: [
      [
        "  'POST /logout': async",
        "  'GET /login': (request, response, query) => routes['POST /login'](request, response, query, query),\n  'POST /logout': async",
      ],
    ],
    seen: /GET \/login/,
  },
  {
    name: 'the form of another site begins a login',
    fault: 'begins-at-home',
    changes: [["const alien = request.method === 'POST' &&", 'const alien = false &&']],
    seen: /another-site\.example/,
  },
  {
    name: 'scripts can read the cookie',
    fault: 'session-cookie',
    changes: [['Path=/; HttpOnly; ', 'Path=/; ']],
    seen: /no HttpOnly/,
  },
  {
    name: 'caches may keep the pages',
    fault: 'not-cached',
    changes: [["'cache-control': 'no-store'", "'cache-control': 'public, max-age=60'"]],
    seen: /max-age=60/,
  },
  {
    name: 'the page holds the access token',
    fault: 'tokens-stay-inside',
    changes: [['<b>${escape(who.name', '<!-- ${session.access_token} --><b>${escape(who.name']],
    seen: /\/ holds a token/,
  },
  {
    name: 'addresses are logged with their query',
    fault: 'not-in-logs',
    changes: [
      [
        'async function answer(request, response) {',
        'async function answer(request, response) {\n  console.log(request.url)',
      ],
    ],
    seen: /the invented code/,
  },
  {
    name: 'nothing is told of a provider that failed',
    fault: 'provider-down',
    changes: [['error.status === undefined ? words.other : error.message', "''"]],
    seen: /not a word/,
  },
  {
    name: 'a name is taken for granted',
    fault: 'no-name-no-email',
    changes: [['who.name ?? who.id', '(who.name.length, who.name)']],
    seen: /\/ answered 503/,
  },
  {
    name: 'long names are refused',
    fault: 'long-name',
    changes: [
      [
        'const who = session?.access_token && (await me(request, session))',
        'const who = session?.access_token && (await me(request, session))\n    if (who?.name?.length > 255) throw new Error("too long")',
      ],
    ],
    seen: /\/ answered 503/,
  },
  {
    name: 'the logout forgets the service',
    fault: 'logs-out',
    changes: [['if (token) await call(', 'if (false) await call(']],
    seen: /goes on/,
  },
]

const inPython: readonly Spoiled[] = [
  {
    name: 'state is not compared',
    fault: 'state-compared',
    changes: [
      ['if answer["state"] in self.session.states:', 'if not self.session.tokens:'],
      ['            self.session.states.remove(answer["state"])\n', ''],
    ],
    seen: /another browser is logged in/,
  },
  {
    name: 'the session keeps its id',
    fault: 'session-renewed',
    changes: [
      [
        '            self.session.close()  # a new id for whoever is logged in\n            self.session.open()\n',
        '',
      ],
    ],
    seen: /from before the login/,
  },
  {
    name: 'the name is not escaped',
    fault: 'name-is-escaped',
    changes: [['escape(who["name"] or who["id"])', '(who["name"] or who["id"])']],
    seen: /as HTML/,
  },
  {
    name: 'requests are logged',
    fault: 'not-in-logs',
    changes: [['    def log_request(self, *_):', '    def do_not_log_request(self, *_):']],
    seen: /the invented code/,
  },
]

function findEach(language: string, site: Program, spoiled: readonly Spoiled[], skip: string | false): void {
  for (const { name, fault, changes, seen, options } of spoiled)
    t.test(`${language}: ${name}`, { skip, timeout: 60_000 }, async (t) => {
      const { ran, report } = await reportOfProgram(t, service, await spoil(t, site, changes), options)
      t.strictSame(idsOf(report, 'failed'), [fault], ran.stdout)
      t.match(report.cases.find(({ id }) => id === fault)?.seen, seen)
      t.equal(ran.code, 1)
      t.equal(report.result, 'failed')
    })
}

findEach('Node.js', nodeSite, inNode, false)
findEach('Python', pythonSite, inPython, skipWithout('python'))
