import { Type } from 'typebox'

const count = (description: string) => Type.Integer({ minimum: 0, description })

const kinds = {
  start: Type.Integer(),
  finish: Type.Integer(),
  refresh: Type.Integer(),
  revoke: Type.Integer(),
}

/** What a site is told of itself; never a secret. */
export const OwnSite = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    disabled: Type.Boolean({ description: 'true: the operator has switched all logins of the site off' }),
    redirect_urls: Type.Array(Type.String(), {
      description: 'Registered; what a start sends must equal one of them, character for character',
    }),
    providers: Type.Array(Type.String(), { description: 'Those that this site may use' }),
    require_secret: Type.Boolean({ description: 'true: start, finish, refresh and revoke need the secret' }),
    live_secrets: count('2 while the secret is being replaced'),
    limits: Type.Union(
      [
        Type.Object({
          factor: count('Set by the operator; in the limits of the site below it is applied already'),
          without_secret: Type.Object(kinds, { description: 'For the site, from one address' }),
          with_secret: Type.Object(
            { ...kinds, introspect: Type.Integer() },
            { description: 'For the site, from anywhere' },
          ),
          visitor: count(
            'Starts for the site and one visitor, where a start with the secret names it by user_ip',
          ),
          session: count('Requests about one session: me, its sessions, introspection'),
          wrong_secret: count('For the site, from one address'),
          unknown_state: count('From one address; a good finish is never refused by it'),
          failed_finish: count(
            'Finishes of living logins that failed their checks, from one address; a good one is never refused by it',
          ),
          unknown_redirect_url: count(
            'Starts with a URL that nobody registered, from one address; a registered one is never refused by it',
          ),
          invalid_token: count(
            'Requests with a forged token, from one address; a good token is never refused by it',
          ),
          site: count('Questions of the site about itself'),
        }),
        Type.Null(),
      ],
      { description: 'Requests a minute; null where the operator has switched the limits off' },
    ),
    lifetimes: Type.Object(
      {
        login: count('From the start until the person is back'),
        finish: count('From then until the finish'),
        access_token: count('From its issue'),
        refresh_token: count('From the last refresh'),
        refresh_grace: count('For so long a replaced refresh token is still good for a repetition'),
        session: count('From the login, however often it is refreshed'),
      },
      { description: 'Seconds' },
    ),
    signing_keys: Type.Object(
      {
        current: Type.String(),
        next: Type.Union([Type.String(), Type.Null()], {
          description: 'Published already, signs later; null while no change is due',
        }),
      },
      { description: 'The `kid` of the keys of access tokens' },
    ),
  },
  {
    $id: 'OwnSite',
    examples: [
      {
        id: 'k3J9s0pQ2xVb',
        name: 'Cinema',
        disabled: false,
        redirect_urls: ['https://site.example/oauth/return'],
        providers: ['one', 'another'],
        require_secret: false,
        live_secrets: 1,
        limits: {
          factor: 1,
          without_secret: { start: 6000, finish: 6000, refresh: 6000, revoke: 6000 },
          with_secret: { start: 60000, finish: 60000, refresh: 60000, revoke: 60000, introspect: 60000 },
          visitor: 60,
          session: 600,
          wrong_secret: 30,
          unknown_state: 600,
          failed_finish: 6000,
          unknown_redirect_url: 600,
          invalid_token: 600,
          site: 120,
        },
        lifetimes: {
          login: 600,
          finish: 600,
          access_token: 900,
          refresh_token: 2592000,
          refresh_grace: 10,
          session: 15552000,
        },
        signing_keys: { current: '1a2b3c', next: null },
      },
    ],
  },
)
