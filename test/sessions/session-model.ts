/** Seconds. Every age in a history is a multiple of 4 and no limit is, so that real time may pass meanwhile. */
export const limits = { ttl: 1_003, maxAge: 1_503, grace: 11, keep: 3_603 } as const

/** A session of the model; times are seconds of the model's clock. */
export interface ModelSession {
  readonly id: string
  readonly person: number
  readonly site: number
  generation: number
  rotatedAt: number
  expiresAt: number
  readonly endsAt: number
  revokedAt: number | null
}

/** The rules of sessions (refresh, end, sweep, disabling) without any SQL. */
export class SessionModel {
  now = 0
  readonly sessions: ModelSession[] = []
  readonly disabledPeople = new Set<number>()
  readonly disabledSites = new Set<number>()
  readonly demandingSites = new Set<number>()

  login(id: string, person: number, site: number): void {
    const endsAt = this.now + limits.maxAge
    const expiresAt = this.now + limits.ttl
    const session = {
      id,
      person,
      site,
      generation: 0,
      rotatedAt: this.now,
      expiresAt,
      endsAt,
      revokedAt: null,
    }
    this.sessions.push(session)
  }

  unended(session: ModelSession): boolean {
    return session.revokedAt === null && session.expiresAt > this.now
  }

  living(session: ModelSession): boolean {
    return (
      this.unended(session) &&
      !this.disabledPeople.has(session.person) &&
      !this.disabledSites.has(session.site)
    )
  }

  /** @param authenticated a site, or null; @param grace seconds */
  refresh(session: ModelSession, generation: number, authenticated: number | null, grace: number): string {
    const admitted =
      authenticated === null ? !this.demandingSites.has(session.site) : authenticated === session.site
    if (!this.living(session) || !admitted) return this.reason(session, authenticated)
    if (generation === session.generation) {
      session.generation += 1
      session.rotatedAt = this.now
      session.expiresAt = Math.min(this.now + limits.ttl, session.endsAt)
      return `granted ${session.generation}`
    }
    if (generation === session.generation - 1 && this.now - session.rotatedAt < grace)
      return `granted ${session.generation}`
    session.revokedAt = this.now
    return generation > session.generation ? 'ahead' : 'reused'
  }

  /** Ends a session of the bearer's person at the bearer's site. */
  end(bearer: ModelSession, target: ModelSession): string {
    if (!this.living(bearer)) return 'bearer-ended'
    if (target.person !== bearer.person || target.site !== bearer.site || !this.unended(target))
      return 'not-found'
    target.revokedAt = this.now
    return 'ended'
  }

  sweep(): number {
    const old = ({ revokedAt, expiresAt }: ModelSession) =>
      this.now - Math.min(revokedAt ?? expiresAt, expiresAt) > limits.keep
    const gone = this.sessions.filter(old)
    for (const session of gone) this.sessions.splice(this.sessions.indexOf(session), 1)
    return gone.length
  }

  private reason(session: ModelSession, authenticated: number | null): string {
    if (authenticated === null && this.demandingSites.has(session.site)) return 'secret-required'
    if (authenticated !== null && authenticated !== session.site) return 'other-site'
    if (this.disabledSites.has(session.site)) return 'site-disabled'
    return this.disabledPeople.has(session.person) ? 'user-disabled' : 'ended'
  }
}
