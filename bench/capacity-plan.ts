/** What `npm run capacity` measured, per request; `bench/capacity.json` has the numbers of the last run. */
export interface Measured {
  /** Microseconds of processor time. */
  readonly cpu: Readonly<
    Record<'login' | 'refresh', Readonly<Record<'service' | 'postgresql' | 'redis', number>>>
  >
  /** Bytes of PostgreSQL's write-ahead log. */
  readonly wal: Readonly<Record<'login' | 'refresh', number>>
  /** Milliseconds for which a connection to PostgreSQL is busy. */
  readonly busy: Readonly<Record<'login' | 'refresh', number>>
  /** Bytes: of a login under way in Redis; of a person and of a session in PostgreSQL, with their indexes. */
  readonly bytes: Readonly<Record<'login' | 'user' | 'session', number>>
}

/** What is assumed of people and sites; the page says so. */
export const assumed = {
  /** Refreshes for each login. */
  refreshes: 5,
  /** The part of the logins that nobody finishes, and of those that bring a new person. */
  abandoned: 0.3,
  newPeople: 0.05,
  /** The part of a core that is used at the peak, so that a machine can fail and deployments can go on. */
  used: 0.5,
  /** Seconds for which a login stands in Redis: finished, and abandoned. */
  finishedFor: 180,
  abandonedFor: 4_200,
  /** Days until an unused session is deleted. */
  sessionDays: 31,
} as const

/** The rates for which the page is worked out, logins a second. */
export const rates = [1, 100, 10_000] as const

/** What an installation needs at a rate of logins. */
export interface Need {
  readonly rate: number
  /** Cores of each, at the part of their time that `assumed` allows. */
  readonly serviceCores: number
  readonly postgresCores: number
  readonly redisCores: number
  /** Connections to PostgreSQL that are busy at once. */
  readonly connections: number
  /** Bytes. */
  readonly redisMemory: number
  readonly walPerSecond: number
  readonly sessions: number
  readonly newPeoplePerYear: number
}

/** Works out what a rate of logins needs, with the refreshes that follow them. */
export function needOf(rate: number, { cpu, wal, busy, bytes }: Measured): Need {
  const { refreshes, abandoned, used, finishedFor, abandonedFor, sessionDays, newPeople } = assumed
  const withRefreshes = (values: Readonly<Record<'login' | 'refresh', number>>) =>
    rate * (values.login + refreshes * values.refresh)
  const cores = (part: 'service' | 'postgresql' | 'redis') =>
    withRefreshes({ login: cpu.login[part], refresh: cpu.refresh[part] }) / 1e6 / used
  const logins = rate * ((1 - abandoned) * finishedFor + abandoned * abandonedFor)
  return {
    rate,
    serviceCores: cores('service'),
    postgresCores: cores('postgresql'),
    redisCores: cores('redis'),
    connections: withRefreshes(busy) / 1_000,
    redisMemory: logins * bytes.login,
    walPerSecond: withRefreshes(wal),
    sessions: rate * (1 - abandoned) * 86_400 * sessionDays * bytes.session,
    newPeoplePerYear: rate * (1 - abandoned) * newPeople * 86_400 * 365 * bytes.user,
  }
}

type Language = 'en' | 'ru'

const words = {
  en: {
    measured: ['Measured', 'A login', 'A refresh'],
    cpu: (part: string) => `processor time of ${part}`,
    service: 'the service',
    perCore: 'in other words, a second and core of the service',
    wal: 'write-ahead log of PostgreSQL',
    busy: 'a connection to PostgreSQL is busy for',
    login: 'Redis, while it is under way',
    user: 'PostgreSQL, a new person',
    session: 'PostgreSQL, its session',
    need: ['Logins a second', ...rates.map((rate) => rate.toLocaleString('en-US'))],
    rows: [
      'cores of the service',
      'cores of PostgreSQL',
      'cores of Redis',
      'busy connections to PostgreSQL',
      'memory of Redis',
      'write-ahead log a second',
      'sessions in PostgreSQL, after a month',
      'new people, a year',
    ],
  },
  ru: {
    measured: ['Измерено', 'Вход', 'Обновление'],
    cpu: (part: string) => `время процессора: ${part}`,
    service: 'сервис',
    perCore: 'иначе говоря, в секунду на ядро сервиса',
    wal: 'журнал упреждающей записи PostgreSQL',
    busy: 'соединение с PostgreSQL занято',
    login: 'Redis, пока вход идёт',
    user: 'PostgreSQL, новый человек',
    session: 'PostgreSQL, его сессия',
    need: ['Входов в секунду', ...rates.map((rate) => rate.toLocaleString('ru-RU').replace(/\s/g, ' '))],
    rows: [
      'ядер сервису',
      'ядер PostgreSQL',
      'ядер Redis',
      'занятых соединений с PostgreSQL',
      'памяти Redis',
      'журнала упреждающей записи в секунду',
      'сессий в PostgreSQL через месяц',
      'новых людей за год',
    ],
  },
} as const

/** The page's two tables: what was measured, and what follows from it. */
export function capacityTables(measured: Measured, language: Language): string {
  const { cpu, wal, busy, bytes } = measured
  const said = words[language]
  const microseconds = (value: number) => `${Math.round(value)} µs`
  const basis = [
    ...(['service', 'postgresql', 'redis'] as const).map((part) => [
      said.cpu({ service: said.service, postgresql: 'PostgreSQL', redis: 'Redis' }[part]),
      microseconds(cpu.login[part]),
      microseconds(cpu.refresh[part]),
    ]),
    [
      said.perCore,
      String(Math.round(1e6 / cpu.login.service)),
      String(Math.round(1e6 / cpu.refresh.service)),
    ],
    [said.wal, size(wal.login), size(wal.refresh)],
    [said.busy, `${busy.login.toFixed(1)} ms`, `${busy.refresh.toFixed(1)} ms`],
    [said.login, size(bytes.login), ''],
    [said.user, size(bytes.user), ''],
    [said.session, size(bytes.session), ''],
  ]
  const needs = rates.map((rate) => needOf(rate, measured))
  const columns = needs.map((need) => [
    count(need.serviceCores),
    count(need.postgresCores),
    count(need.redisCores),
    count(need.connections),
    size(need.redisMemory),
    size(need.walPerSecond),
    size(need.sessions),
    size(need.newPeoplePerYear),
  ])
  const rows = said.rows.map((row, index) => [row, ...columns.map((column) => column[index] ?? '')])
  return `${table(said.measured, basis)}\n\n${table(said.need, rows)}`
}

/** Two significant digits: more would pretend to know the machine. */
function count(value: number): string {
  return value < 1 ? value.toPrecision(1) : String(Number(value.toPrecision(2)))
}

function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = bytes
  let unit = 0
  for (; value >= 1_000 && unit < units.length - 1; unit++) value /= 1_000
  return `${Number(value.toPrecision(2))} ${units[unit] ?? ''}`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`.replaceAll('|  |', '| |')
  return [line(head), line(head.map(() => ':--')), ...rows.map(line)].join('\n')
}
