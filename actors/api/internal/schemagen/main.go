// Schemagen writes the JSON schema of GET /api/v1/site to the file named by its argument.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/invopop/jsonschema"

	"github.com/voltyard/voltyard/actors/msg"
)

func main() {
	s := (&jsonschema.Reflector{}).Reflect(&msg.SiteView{})
	s.ID, s.Title = "", "Voltyard site"
	out, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = os.WriteFile(os.Args[1], append(out, '\n'), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		os.Exit(1)
	}
}
