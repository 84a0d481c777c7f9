// A site that logs people in through Auth-movies by OpenID Connect, with go-oidc and x/oauth2. Go 1.26 or newer.
// To try it, run `npm start` in a copy of the service, and in a second terminal
//   npm run site -- add --name Example --redirect-url http://127.0.0.1:8000/return
// Paste the line `export AUTH=…` of its answer, then `cd examples/go/standard-door && go run .`, and open
// http://127.0.0.1:8000/. For production: https in REDIRECT_URL by a proxy on this machine (it listens on
// 127.0.0.1:SITE_PORT); sessions in Redis or a database, the tokens encrypted; your own words and pages.

package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"html/template"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

var (
	site, _  = url.Parse(os.Getenv("REDIRECT_URL"))
	client   = &http.Client{Timeout: 12 * time.Second}
	ctx      = oidc.ClientContext(context.Background(), client)
	provider *oidc.Provider
	config   oauth2.Config
	sessions sync.Map // from id to session
	page     = template.Must(template.New("page").Parse(`<!doctype html><title>My site</title><h1>My site</h1>
{{with .Message}}<p role="alert">{{.}}</p>{{end}}
{{if .Subject}}<b>{{or .Name .Subject}}</b><form method="post" action="/logout"><button>Log out</button></form>
{{else}}<form method="post" action="/login"><button>Log in</button></form>{{end}}`))
)

// session is what is kept of a browser, which has the random id alone. It never changes: a step makes another.
type session struct {
	id, state, nonce, verifier string // of a login that has begun
	refresh                    string
	Message, Name              string
	Subject                    string // the key of your users, never the email
}

// open gives the browser a session with a new id.
func open(w http.ResponseWriter, old, next session) {
	sessions.Delete(old.id)
	next.id = rand.Text()
	sessions.Store(next.id, next)
	http.SetCookie(w, &http.Cookie{Name: "session", Value: next.id, Path: "/", HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: site.Scheme == "https"})
}

func home(w http.ResponseWriter, r *http.Request, s session) {
	if err := page.Execute(w, s); err != nil {
		log.Print(err)
	}
}

func login(w http.ResponseWriter, r *http.Request, s session) {
	s.state, s.nonce, s.verifier, s.Message = rand.Text(), rand.Text(), oauth2.GenerateVerifier(), ""
	open(w, s, s)
	address := config.AuthCodeURL(s.state, oidc.Nonce(s.nonce), oauth2.S256ChallengeOption(s.verifier))
	http.Redirect(w, r, address, http.StatusSeeOther)
}

func loginReturn(w http.ResponseWriter, r *http.Request, s session) {
	query := r.URL.Query()
	if s.state != "" && query.Get("state") == s.state { // else it did not begin in this browser, or it is over
		next, err := finish(query, s)
		if err != nil {
			log.Print(err)
			next = session{Message: "The login did not succeed.", Name: s.Name, Subject: s.Subject, refresh: s.refresh}
		}
		if query.Get("error") == "access_denied" {
			next.Message = "You did not allow the login."
		}
		open(w, s, next)
	}
	http.Redirect(w, r, "/", http.StatusSeeOther) // an address without state and code
}

// finish trades the code for tokens. go-oidc checks signature, iss, aud and exp of the ID token, and leaves the nonce to us.
func finish(query url.Values, s session) (next session, err error) {
	if query.Has("error") {
		return next, errors.New("the service answered " + query.Get("error"))
	}
	token, err := config.Exchange(ctx, query.Get("code"), oauth2.VerifierOption(s.verifier))
	if err != nil {
		return next, err
	}
	raw, _ := token.Extra("id_token").(string)
	idToken, err := provider.Verifier(&oidc.Config{ClientID: config.ClientID}).Verify(ctx, raw)
	if err != nil {
		return next, err
	}
	if idToken.Nonce != s.nonce {
		return next, errors.New("the ID token has another nonce")
	}
	next.Subject, next.refresh = idToken.Subject, token.RefreshToken
	return next, idToken.Claims(&next)
}

func logout(w http.ResponseWriter, r *http.Request, s session) {
	sessions.Delete(s.id)
	var metadata struct {
		Address string `json:"revocation_endpoint"`
	}
	if err := provider.Claims(&metadata); err == nil && s.refresh != "" {
		form := url.Values{"token": {s.refresh}, "client_id": {config.ClientID}, "client_secret": {config.ClientSecret}}
		response, err := client.PostForm(metadata.Address, form)
		if err != nil {
			log.Print(err)
		} else {
			response.Body.Close()
		}
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func handle(route func(http.ResponseWriter, *http.Request, session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		w.Header().Set("Referrer-Policy", "same-origin")
		w.Header().Set("Cache-Control", "no-store")
		var s session
		if cookie, err := r.Cookie("session"); err == nil {
			if found, ok := sessions.Load(cookie.Value); ok {
				s = found.(session)
			}
		}
		route(w, r, s)
	}
}

func main() {
	for _, name := range []string{"AUTH", "SITE_ID", "SITE_SECRET", "REDIRECT_URL"} {
		if os.Getenv(name) == "" {
			log.Fatal("Please set AUTH, SITE_ID, SITE_SECRET and REDIRECT_URL, as `npm run site -- add` prints them.")
		}
	}
	var err error
	if provider, err = oidc.NewProvider(ctx, strings.TrimSuffix(os.Getenv("AUTH"), "/")); err != nil {
		log.Fatal(err)
	}
	config = oauth2.Config{ClientID: os.Getenv("SITE_ID"), ClientSecret: os.Getenv("SITE_SECRET"),
		Endpoint: provider.Endpoint(), RedirectURL: site.String(), Scopes: []string{oidc.ScopeOpenID, "profile", "email"}}
	http.HandleFunc("GET /{$}", handle(home))
	http.HandleFunc("POST /login", handle(login))
	http.HandleFunc("GET "+site.Path, handle(loginReturn))
	http.HandleFunc("POST /logout", handle(logout))
	// A form of another site must not log anybody in or out.
	protection := http.NewCrossOriginProtection()
	_ = protection.AddTrustedOrigin(site.Scheme + "://" + site.Host)
	listener, err := net.Listen("tcp", "127.0.0.1:"+cmp.Or(os.Getenv("SITE_PORT"), site.Port()))
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("My site: %s://%s/", site.Scheme, site.Host)
	log.Fatal(http.Serve(listener, protection.Handler(http.DefaultServeMux)))
}
