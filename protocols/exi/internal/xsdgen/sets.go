package xsdgen

import (
	"fmt"
	"path/filepath"
	"strings"
)

const (
	spaceDS = "http://www.w3.org/2000/09/xmldsig#"
	spaceV2 = "urn:iso:15118:2:2013:"
	spaceDI = "urn:din:70121:2012:"
	spaceCM = "urn:iso:std:iso:15118:-20:CommonMessages"
)

// Specs lists the packages to generate; parents come before those that use
// their types.
var Specs = []Spec{
	{
		Package: "xmldsig", Dir: "xmldsig", Set: "xmldsig", Root: "xmldsig/xmldsig-core-schema.xsd",
		Title:     "xmldsig-core",
		Message:   func(*Element) bool { return false },
		Fragments: []Name{{spaceDS, "SignedInfo"}, {spaceDS, "Signature"}},
	},
	{
		Package: "appproto", Dir: "appproto", Set: "sap", Root: "sap/V2G_CI_AppProtocol.xsd",
		Title:   "the supported application protocol handshake",
		Message: func(e *Element) bool { return true },
	},
	{
		Package: "din", Dir: "din", Set: "din", Root: "din/V2G_CI_MsgDef.xsd", Parents: []string{"xmldsig"},
		Title:   "DIN SPEC 70121",
		Message: named("V2G_Message"),
		Fragments: []Name{
			{spaceDS, "SignedInfo"}, {spaceDI + "MsgBody", "ContractSignatureCertChain"},
		},
	},
	{
		Package: "v2", Dir: "v2", Set: "iso2", Root: "iso2/V2G_CI_MsgDef.xsd", Parents: []string{"xmldsig"},
		Title:   "ISO 15118-2",
		Message: named("V2G_Message"),
		Fragments: []Name{
			{spaceDS, "SignedInfo"},
			{spaceV2 + "MsgBody", "ContractSignatureCertChain"},
			{spaceV2 + "MsgBody", "ContractSignatureEncryptedPrivateKey"},
			{spaceV2 + "MsgBody", "DHpublickey"},
			{spaceV2 + "MsgBody", "eMAID"},
			{spaceV2 + "MsgBody", "SAProvisioningCertificateChain"},
			{spaceV2 + "MsgDataTypes", "SalesTariff"},
		},
	},
	{
		Package: "common", Dir: "v20/common", Set: "iso20-common", Root: "iso20/V2G_CI_CommonMessages.xsd",
		Parents: []string{"xmldsig"}, Title: "ISO 15118-20 common messages", Message: isV20Message,
		Also: "urn:iso:std:iso:15118:-20:CommonTypes",
		Fragments: []Name{
			{spaceDS, "SignedInfo"},
			{spaceCM, "PnC_AReqAuthorizationMode"},
			{spaceCM, "OEMProvisioningCertificateChain"},
			{spaceCM, "SignedInstallationData"},
			{spaceCM, "SignedMeteringData"},
			{spaceCM, "AbsolutePriceSchedule"},
		},
	},
	v20("ac", "v20/ac", "iso20-ac", "iso20/V2G_CI_AC.xsd", "ISO 15118-20 AC"),
	v20("dc", "v20/dc", "iso20-dc", "iso20/V2G_CI_DC.xsd", "ISO 15118-20 DC"),
	v20("wpt", "v20/wpt", "iso20-wpt", "iso20/V2G_CI_WPT.xsd", "ISO 15118-20 WPT"),
	v20("acdp", "v20/acdp", "iso20-acdp", "iso20/V2G_CI_ACDP.xsd", "ISO 15118-20 ACDP"),
	v20("acderiec", "v20/acderiec", "iso20-ac-der-iec", "iso20-amd1/V2G_CI_AC_DER_IEC.xsd", "ISO 15118-20 Amendment 1 AC_DER_IEC"),
	v20("acdersae", "v20/acdersae", "iso20-ac-der-sae", "iso20-amd1/V2G_CI_AC_DER_SAE.xsd", "ISO 15118-20 Amendment 1 AC_DER_SAE"),
}

func v20(pkg, dir, set, root, title string) Spec {
	return Spec{
		Package: pkg, Dir: dir, Set: set, Root: root, Title: title,
		Parents: []string{"v20/common", "xmldsig"}, Message: isV20Message,
	}
}

func named(local string) func(*Element) bool {
	return func(e *Element) bool { return e.Name.Local == local }
}

// isV20Message reports whether e is a concrete message of ISO 15118-20: its
// type derives from the common message type. The two structures that travel
// signed inside a message are documents as well.
func isV20Message(e *Element) bool {
	if e.Name.Local == "SignedInstallationData" || e.Name.Local == "SignedMeteringData" {
		return true
	}
	if e.Abstract || e.Type.Abstract {
		return false
	}
	for t := e.Type; t != nil; t = t.Base {
		if t.Name.Local == "V2GMessageType" {
			return true
		}
	}
	return false
}

// Generate produces the files of all packages from the schemas below root.
func Generate(root string) ([]File, error) { return GenerateSpecs(Specs, root) }

// GenerateSpecs is Generate for the given specifications.
func GenerateSpecs(specs []Spec, root string) ([]File, error) {
	var out []File
	done := map[string]*Package{}
	for _, spec := range specs {
		set, err := Load(filepath.Join(root, filepath.FromSlash(spec.Root)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", spec.Set, err)
		}
		var parents []*Package
		for _, dir := range spec.Parents {
			parents = append(parents, done[dir])
		}
		p, err := Plan(spec, set, parents)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", spec.Set, err)
		}
		files, err := p.Emit()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", spec.Set, err)
		}
		out = append(out, files...)
		done[spec.Dir] = p
	}
	return out, nil
}

// Owned reports whether a file below the output root was generated.
func Owned(name string) bool { return strings.HasSuffix(name, "_gen.go") }
