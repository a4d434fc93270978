package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/voltyard/voltyard/actors/kit/sessiontrace"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/protocols/iso15118/exitool"
	"github.com/voltyard/voltyard/protocols/iso15118/schemasets"
)

// traceCommand shows what a running site remembers of its sessions with vehicles.
func traceCommand() *cobra.Command {
	var s siteAPI
	c := &cobra.Command{Use: "trace", Short: "Sessions with vehicles that a running site remembers"}
	c.PersistentFlags().StringVar(&s.url, "api", "http://127.0.0.1:8080", "address of the site's API")
	c.PersistentFlags().StringVar(&s.tokenFile, "token-file", "", "file with the API's token, for a site on another machine")
	var asJSON, values bool
	list := &cobra.Command{
		Use:   "list",
		Short: "List the sessions, oldest first",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var all []sessiontrace.Summary
			body, err := s.get("/api/v1/sessions")
			if err != nil {
				return err
			}
			if asJSON {
				_, err := c.OutOrStdout().Write(body)
				return err
			}
			if err := json.Unmarshal(body, &all); err != nil {
				return fmt.Errorf("sessions: %w", err)
			}
			return listTraces(c.OutOrStdout(), all)
		},
	}
	list.Flags().BoolVar(&asJSON, "json", false, "print the JSON of the API")
	show := &cobra.Command{
		Use:   "print ID",
		Short: "Print the messages of a session; an ID may be shortened to its first digits, and last is the newest",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := s.find(args[0])
			if err != nil {
				return err
			}
			body, err := s.get("/api/v1/sessions/" + id + "/trace")
			if err != nil {
				return err
			}
			var t sessiontrace.Trace
			if err := json.Unmarshal(body, &t); err != nil {
				return fmt.Errorf("session trace: %w", err)
			}
			return printTrace(c.OutOrStdout(), &t, values)
		},
	}
	show.Flags().BoolVar(&values, "values", false, "print the contents of each message, as JSON")
	c.AddCommand(list, show)
	return c
}

// siteAPI is the API of a running site.
type siteAPI struct{ url, tokenFile string }

// maxAnswer bounds what is read from the API, octets.
const maxAnswer = 64 << 20

func (s *siteAPI) get(path string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, strings.TrimSuffix(s.url, "/")+path, nil)
	if err != nil {
		return nil, fmt.Errorf("site API: %w", err)
	}
	token, err := configs.Secret(s.tokenFile)
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Timeout: 30 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("site API: %w; is the site running, and --api its address?", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("site API: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("site API: %s answers %s: %s", path, res.Status, bytes.TrimSpace(body))
	}
	return body, nil
}

// find completes the beginning of an id.
func (s *siteAPI) find(begin string) (string, error) {
	body, err := s.get("/api/v1/sessions")
	if err != nil {
		return "", err
	}
	var all []sessiontrace.Summary
	if err := json.Unmarshal(body, &all); err != nil {
		return "", fmt.Errorf("sessions: %w", err)
	}
	if begin == "last" && len(all) > 0 {
		return all[len(all)-1].ID, nil
	}
	found := ""
	for _, t := range all {
		if strings.HasPrefix(t.ID, begin) {
			if found != "" {
				return "", fmt.Errorf("more than one session begins with %s; give more of its digits", begin)
			}
			found = t.ID
		}
	}
	if found == "" {
		return "", fmt.Errorf("no session begins with %s; voltyard trace list shows them", begin)
	}
	return found, nil
}

func listTraces(out io.Writer, all []sessiontrace.Summary) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tBEGIN\tEVSE\tVEHICLE\tPROTOCOL\tTLS\tTOOK\tMESSAGES\tEND")
	for _, t := range all {
		end := "ok"
		if !t.OK {
			end = t.Class + ": " + t.Why
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%v\t%.1f s\t%d\t%s\n", t.ID, t.Begin.Local().Format(time.DateTime), t.EVSE, t.Vehicle, t.Protocol, t.TLS,
			t.End.Sub(t.Begin).Seconds(), t.Messages, end)
	}
	return w.Flush()
}

func printTrace(out io.Writer, t *sessiontrace.Trace, values bool) error {
	end := "ended well"
	if !t.OK {
		end = t.Class + ": " + t.Why
	}
	fmt.Fprintf(out, "%s  EVSE %s, vehicle %s, %s, TLS %v: %s\n", t.Begin.Local().Format(time.DateTime), t.EVSE, t.Vehicle, t.Protocol, t.TLS, end)
	for i, m := range t.List {
		if i == sessiontrace.Kept && t.LeftOut > 0 {
			fmt.Fprintf(out, "            ... %d messages left out\n", t.LeftOut)
		}
		arrow := "->" // from the vehicle
		if m.From == sessiontrace.FromEVSE {
			arrow = "<-"
		}
		name := m.Withheld
		if name != "" {
			name = "(" + name + ", not kept)"
		} else {
			name = messageName(m)
		}
		fmt.Fprintf(out, "%10.3f s %s %s\n", m.After.Seconds(), arrow, name)
		if values && m.Withheld == "" {
			if err := exitool.Decode(out, io.Discard, m.EXI, exitool.DecodeOptions{Format: "json"}); err != nil {
				fmt.Fprintln(out, "            ", err)
			}
		}
	}
	return nil
}

// messageName is the name of a message and, of a response, its code.
func messageName(m sessiontrace.Message) string {
	d, err := schemasets.Detect(m.Payload, m.EXI)
	if err != nil {
		return fmt.Sprintf("%d octets that cannot be read: %v", len(m.EXI), err)
	}
	return d.Set.Name + " " + describe(d.Message)
}
