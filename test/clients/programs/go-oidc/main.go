// A site in Go as the documentation of go-oidc and x/oauth2 has it: nothing but issuer, id and secret is configured. The
// browser is whoever reads the address from standard output and answers by the address to which it came back.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net/url"
	"os"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

func main() {
	ctx := context.Background()
	provider, err := oidc.NewProvider(ctx, os.Getenv("ISSUER"))
	must(err)
	config := oauth2.Config{
		ClientID:     os.Getenv("CLIENT_ID"),
		ClientSecret: os.Getenv("CLIENT_SECRET"),
		Endpoint:     provider.Endpoint(),
		RedirectURL:  os.Getenv("REDIRECT_URI"),
		Scopes:       []string{oidc.ScopeOpenID, "profile", "email"},
	}
	state, nonce, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	back := browse(config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)))
	if back.Get("state") != state || back.Get("iss") != os.Getenv("ISSUER") {
		log.Fatal("state or iss is another")
	}
	token, err := config.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(verifier))
	must(err)
	raw, _ := token.Extra("id_token").(string)
	idToken, err := provider.Verifier(&oidc.Config{ClientID: config.ClientID}).Verify(ctx, raw)
	must(err)
	must(idToken.VerifyAccessToken(token.AccessToken))
	if idToken.Nonce != nonce {
		log.Fatal("the nonce is another")
	}
	var claims struct {
		Name  string `json:"name"`
		Email string `json:"email"`
	}
	must(idToken.Claims(&claims))
	fmt.Println("name", claims.Name)
	info, err := provider.UserInfo(ctx, config.TokenSource(ctx, token))
	must(err)
	fmt.Println("email", info.Email)
	fmt.Println("same", info.Subject == idToken.Subject)

	// x/oauth2 alone, as a site that knows no OpenID: no scope, no PKCE.
	config.Scopes = nil
	back = browse(config.AuthCodeURL("plain"))
	token, err = config.Exchange(ctx, back.Get("code"))
	must(err)
	fmt.Println("plain", token.Extra("scope"), token.Extra("id_token") == nil)
	refreshed, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	must(err)
	fmt.Println("refreshed", refreshed.AccessToken != token.AccessToken)
}

var answers = bufio.NewReader(os.Stdin)

func browse(address string) url.Values {
	fmt.Println("authorization_url", address)
	line, err := answers.ReadString('\n')
	must(err)
	back, err := url.Parse(strings.TrimSpace(line))
	must(err)
	return back.Query()
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
