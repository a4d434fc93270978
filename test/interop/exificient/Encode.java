// Encodes XML documents with EXIficient in the profile of ISO 15118 and
// DIN 70121. Each line of standard input is a schema file, "document" or
// "fragment", and a document in base64, separated by tabs; each line of
// standard output is the EXI stream in hexadecimal, or "error" and a message.

import com.siemens.ct.exi.core.EXIFactory;
import com.siemens.ct.exi.core.grammars.Grammars;
import com.siemens.ct.exi.core.helpers.DefaultEXIFactory;
import com.siemens.ct.exi.grammars.GrammarFactory;
import com.siemens.ct.exi.main.api.sax.EXIResult;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import javax.xml.parsers.SAXParserFactory;
import org.apache.xerces.xni.XMLResourceIdentifier;
import org.apache.xerces.xni.parser.XMLEntityResolver;
import org.apache.xerces.xni.parser.XMLInputSource;
import org.xml.sax.InputSource;
import org.xml.sax.XMLReader;

public class Encode {
    private static final Map<String, Grammars> GRAMMARS = new HashMap<>();

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] part = line.split("\t");
            try {
                System.out.println(encode(part[0], part[1].equals("fragment"), Base64.getDecoder().decode(part[2])));
            } catch (Exception e) {
                System.out.println("error " + String.valueOf(e).replace('\n', ' '));
            }
        }
    }

    private static String encode(String schema, boolean fragment, byte[] xml) throws Exception {
        Grammars grammars = GRAMMARS.get(schema);
        if (grammars == null) {
            grammars = GrammarFactory.newInstance().createGrammars(schema, new NoDTD());
            GRAMMARS.put(schema, grammars);
        }
        EXIFactory factory = DefaultEXIFactory.newInstance();
        factory.setGrammars(grammars);
        factory.setFragment(fragment);
        factory.setValuePartitionCapacity(0);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        EXIResult result = new EXIResult(factory);
        result.setOutputStream(out);
        SAXParserFactory parsers = SAXParserFactory.newInstance();
        parsers.setNamespaceAware(true);
        XMLReader reader = parsers.newSAXParser().getXMLReader();
        reader.setContentHandler(result.getHandler());
        reader.parse(new InputSource(new ByteArrayInputStream(xml)));
        return HexFormat.of().formatHex(out.toByteArray());
    }

    /** Answers requests for document type definitions with nothing, so that no network is needed. */
    private static class NoDTD implements XMLEntityResolver {
        public XMLInputSource resolveEntity(XMLResourceIdentifier id) {
            String system = id.getExpandedSystemId();
            if (system != null && system.endsWith(".dtd")) {
                return new XMLInputSource(id.getPublicId(), system, system, new StringReader(""), "UTF-8");
            }
            return null;
        }
    }
}
