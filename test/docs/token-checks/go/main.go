// Prints the user of each token that comes by standard input, a line each, or "refused". The guide's sample stands in
// sample.go, beside this file.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
)

var (
	auth   = os.Getenv("AUTH")
	siteID = os.Getenv("SITE_ID")
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		user, err := userOf(context.Background(), lines.Text())
		if err != nil {
			fmt.Println("refused", err)
			continue
		}
		fmt.Println(user)
	}
}
