package exificient

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// schemaFiles names the schema document of each set below the schema folder.
var schemaFiles = map[string]string{
	"sap":              "sap/V2G_CI_AppProtocol.xsd",
	"din":              "din/V2G_CI_MsgDef.xsd",
	"iso2":             "iso2/V2G_CI_MsgDef.xsd",
	"iso20-common":     "iso20/V2G_CI_CommonMessages.xsd",
	"iso20-ac":         "iso20/V2G_CI_AC.xsd",
	"iso20-dc":         "iso20/V2G_CI_DC.xsd",
	"iso20-wpt":        "iso20/V2G_CI_WPT.xsd",
	"iso20-acdp":       "iso20/V2G_CI_ACDP.xsd",
	"iso20-ac-der-iec": "iso20-amd1/V2G_CI_AC_DER_IEC.xsd",
	"iso20-ac-der-sae": "iso20-amd1/V2G_CI_AC_DER_SAE.xsd",
	"xmldsig":          "xmldsig/xmldsig-core-schema.xsd",
	"sample":           "sample.xsd",
}

// job is one document for the reference codec.
type job struct {
	set      string
	fragment bool
	xml      string
}

// classPath asks Maven for the reference codec: first for the copy it has, then
// for one from the central repository.
func classPath(dir string) (string, error) {
	file := filepath.Join(dir, "classpath")
	args := []string{"-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=" + file}
	if exec.Command("mvn", append(args, "-o")...).Run() != nil {
		if out, err := exec.Command("mvn", args...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("mvn: %w: %s", err, out)
		}
	}
	b, err := os.ReadFile(file)
	return strings.TrimSpace(string(b)), err
}

// encode lets the reference codec encode all jobs and returns the streams in
// hexadecimal.
func encode(classPath, schemas string, jobs []job) ([]string, error) {
	var in bytes.Buffer
	for _, j := range jobs {
		kind := "document"
		if j.fragment {
			kind = "fragment"
		}
		fmt.Fprintf(&in, "%s\t%s\t%s\n", filepath.Join(schemas, filepath.FromSlash(schemaFiles[j.set])), kind, base64.StdEncoding.EncodeToString([]byte(j.xml)))
	}
	cmd := exec.Command("java", "-cp", classPath, "Encode.java")
	cmd.Stdin = &in
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("java: %w: %s", err, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(jobs) {
		return nil, fmt.Errorf("%d answers to %d documents: %s", len(lines), len(jobs), stderr.String())
	}
	for i, l := range lines {
		if strings.HasPrefix(l, "error") {
			return nil, fmt.Errorf("%s: %s: %s", jobs[i].set, l, jobs[i].xml)
		}
	}
	return lines, nil
}
