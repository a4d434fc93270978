package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/voltyard/voltyard/protocols/iso15118/exitool"
)

// exiCommand gathers the tools for EXI streams of vehicle communication.
func exiCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "exi",
		Short: "Decode, encode and check EXI messages of DIN 70121 and ISO 15118",
	}
	c.AddCommand(exiDecodeCommand(), exiEncodeCommand(), exiCheckCommand(), exiPcapCommand())
	return c
}

func exiDecodeCommand() *cobra.Command {
	var o exitool.DecodeOptions
	c := &cobra.Command{
		Use:   "decode [flags] HEX|-",
		Short: "Show an EXI message, with or without its V2GTP header, as XML or JSON",
		Long: "Show an EXI message, with or without its V2GTP header, as XML or JSON.\n" +
			"Without --protocol it is recognised from the V2GTP payload type or from its content.\n" +
			"With - the hexadecimal digits are read from standard input.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			b, err := hexArgument(c.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			return exitool.Decode(c.OutOrStdout(), c.ErrOrStderr(), b, o)
		},
	}
	c.Flags().StringVar(&o.Protocol, "protocol", "", "schema set: "+strings.Join(exitool.Protocols(), ", "))
	c.Flags().StringVar(&o.Format, "format", "xml", "xml or json")
	c.Flags().BoolVar(&o.Fragment, "fragment", false, "the stream is an EXI fragment, as signatures cover")
	return c
}

func exiEncodeCommand() *cobra.Command {
	var o exitool.EncodeOptions
	c := &cobra.Command{
		Use:   "encode [flags] FILE|-",
		Short: "Write the EXI form of a message given as XML or JSON, in hexadecimal",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			in := c.InOrStdin()
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			return exitool.Encode(c.OutOrStdout(), in, o)
		},
	}
	c.Flags().StringVar(&o.Protocol, "protocol", "", "schema set; needed for JSON, otherwise taken from the namespace: "+strings.Join(exitool.Protocols(), ", "))
	c.Flags().BoolVar(&o.Fragment, "fragment", false, "write the fragment form")
	c.Flags().BoolVar(&o.V2GTP, "v2gtp", false, "put a V2GTP header in front")
	return c
}

func exiCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE...",
		Short: "Decode and encode every row of vector files (.jsonl, .jsonl.gz) and compare",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			c.SilenceUsage = true
			passed, failed := 0, 0
			for _, name := range args {
				f, err := os.Open(name)
				if err != nil {
					return err
				}
				p, n, err := exitool.Check(c.OutOrStdout(), f, name)
				f.Close()
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				passed, failed = passed+p, failed+n
			}
			fmt.Fprintf(c.OutOrStdout(), "%d passed, %d failed\n", passed, failed)
			if failed > 0 {
				c.SilenceErrors = true
				return fmt.Errorf("%d rows failed", failed)
			}
			return nil
		},
	}
}

func exiPcapCommand() *cobra.Command {
	var keylog, format string
	c := &cobra.Command{
		Use:   "pcap [flags] FILE",
		Short: "List the V2G messages of a capture (pcap or pcapng), decrypting TLS where keys are known",
		Long: "List the V2G messages of a capture (pcap or pcapng). TCP streams are reassembled. TLS is decrypted\n" +
			"with the keys of --keylog, with those the capture file carries in itself, and with those that a\n" +
			"test bench sends as text in UDP packets.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			c.SilenceUsage = true
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			var keys io.Reader
			if keylog != "" {
				k, err := os.Open(keylog)
				if err != nil {
					return err
				}
				defer k.Close()
				keys = k
			}
			return exitool.Pcap(c.OutOrStdout(), f, keys, format)
		},
	}
	c.Flags().StringVar(&keylog, "keylog", "", "TLS key log file (NSS format)")
	c.Flags().StringVar(&format, "format", "", "also show each message as xml or json")
	return c
}

// hexArgument reads hexadecimal digits from the argument or, for "-", from in.
// White space, colons and a leading 0x are ignored.
func hexArgument(in io.Reader, arg string) ([]byte, error) {
	if arg == "-" {
		b, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		arg = string(b)
	}
	arg = strings.TrimPrefix(strings.NewReplacer(" ", "", "\n", "", "\r", "", "\t", "", ":", "").Replace(arg), "0x")
	b, err := hex.DecodeString(arg)
	if err != nil {
		return nil, fmt.Errorf("these are not hexadecimal digits: %w", err)
	}
	return b, nil
}
