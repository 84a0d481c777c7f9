import t from 'tap'
import { readConfig } from '../../src/config/config.ts'
import { parseRedisUrl } from '../../src/storage/redis-address.ts'

/** The message for each refused URL; none repeats a possible part of a password. */
const refused: readonly (readonly [url: string, message: RegExp])[] = [
  ['http://a', /must be redis:/],
  ['redis.example:6379', /must be redis:/],
  ['redis://', /no host/],
  ['redis://:6379', /no host/],
  ['redis:///1', /no host/],
  ['redis://user:s3cret@:6379', /no host/],
  ['redis://a b', /blank/],
  ['redis://a$b', /neither a name nor an address/],
  ['redis://[::1', /brackets/],
  ['redis://::1:6379', /brackets/],
  ['redis://[nonsense]', /neither a name nor an address/],
  ['redis://a:99999', /port/],
  ['redis://a:65536', /port/],
  ['redis://a:0', /port/],
  ['redis://a:', /port/],
  ['redis://a:6379x', /port/],
  ['redis://a/x', /database number/],
  ['redis://a/1/2', /database number/],
  ['redis://a/-1', /database number/],
  ['redis://:s3%cret@a', /raw "%" in its password: write %25/],
  ['redis://us%er:s3cret@a', /raw "%" in its user/],
  ['redis://:s3#cret@a:6379', /raw "#" in its user or password: write %23/],
  ['redis://:s3/cret@a:6379/0', /raw "\/" in its user or password: write %2F/],
  ['redis://:12/s3cret@a', /raw "\/"/],
  ['redis://user:1?s3cret@a', /raw "\?" in its user or password: write %3F/],
  ['redis://a#s3cret', /raw "#"/],
  ['redis://:s3,cret@a,b', /repeat redis:\/\/.*comma/],
  ['redis://a:1,b:2', /repeat redis:/],
  ['redis://a?db=1', /parameter "db", which nothing reads/],
  ['redis://a/1?family=6&db=1', /parameter "family"/],
  ['rediss://a?tls', /parameter "tls"/],
  ['redis://a,redis://b/1', /database 0 alone/],
  ['redis://a,rediss://b', /the same scheme, user and password/],
  ['redis://:s3cret@a,redis://:0ther-s3cret@b', /the same scheme, user and password/],
  ['redis://a,http://b', /repeat redis:/],
  ['redis://a,redis://b:99999', /port/],
  ['redis+sentinel://a', /name the master/],
  ['redis+sentinel://a/', /name the master/],
  ['redis+sentinel:///main', /no host/],
  ['redis+sentinel://a,/main', /no host/],
  ['redis+sentinel://a:99999/main', /port/],
  ['redis+sentinel://a/main/x', /database number/],
  ['redis+sentinel://a/main/0/0', /more than a name/],
  ['redis+sentinel://a/ma%in', /raw "%" in its master's name/],
  ['redis+sentinel://:s3/cret@a/main', /raw "\/"/],
  ['redis+sentinel://a/main?password=s3cret', /parameter "password".*sentinelPassword/],
  ['redis+sentinel://a/main?sentinelPassword=ab&s3cret', /a parameter, which nothing reads.*%26/],
  ['redis+sentinel://a/main?sentinelPassword=s3%cret', /raw "%" in its sentinelPassword/],
  ['redis+sentinel://a/main?sentinelPassword=s3#cret', /raw "#"/],
  ['redis+sentinel://a/main?sentinelPassword=s3cret&sentinelPassword=s3cret', /sentinelPassword twice/],
]

t.test('an unusable REDIS_URL is refused in one sentence, among all other faults', async (t) => {
  for (const [url, message] of refused) {
    t.throws(() => parseRedisUrl(url), { name: 'RedisUrlError', message }, url)
    try {
      readConfig({ NODE_ENV: 'development', REDIS_URL: url, PORT: 'tcp://a' }, [], ['REDIS_URL'])
      t.fail(url)
    } catch (error) {
      t.match(String(error), /^ConfigError: .*\n {2}- PORT must .*\n {2}- REDIS_URL [^\n]+\.$/, url)
      t.notMatch(String(error), /s3|cret|us%er/, url)
    }
  }
})

t.test('REDIS_URL is read with all of its parts', async (t) => {
  const node = { host: 'a', port: 6379 }
  t.match(parseRedisUrl('redis://a'), { kind: 'single', node, access: {}, db: 0, shown: 'a' })
  t.match(parseRedisUrl('redis://a/'), { node, db: 0 })
  t.match(parseRedisUrl('redis://a_b.c-d:1/15'), { node: { host: 'a_b.c-d', port: 1 }, db: 15 })
  t.match(parseRedisUrl('redis://[::1]:1'), { node: { host: '::1', port: 1 }, shown: '[::1]:1' })
  t.strictSame(parseRedisUrl('rediss://us%40er:p%40%25:@w,%2F@a'), {
    kind: 'single',
    node,
    access: { username: 'us@er', password: 'p@%:@w,/', tls: {} },
    db: 0,
    shown: 'a',
  })
  t.match(parseRedisUrl('redis://:p@a, redis://b:2/0'), {
    kind: 'cluster',
    nodes: [node, { host: 'b', port: 2 }],
    access: { password: 'p' },
    shown: 'a, b:2',
  })
  t.strictSame(
    parseRedisUrl('rediss+sentinel://u:p@a,b:2/ma%20in/3?sentinelPassword=s+@%26&sentinelUsername=v'),
    {
      kind: 'sentinel',
      sentinels: [
        { host: 'a', port: 26_379 },
        { host: 'b', port: 2 },
      ],
      name: 'ma in',
      access: { username: 'u', password: 'p', tls: {} },
      sentinelAccess: { sentinelPassword: 's+@&', sentinelUsername: 'v' },
      db: 3,
      shown: 'a, b:2 (sentinels of ma in)',
    },
  )
})
