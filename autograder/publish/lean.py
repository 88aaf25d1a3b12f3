"""Make the built site light: what no page of it uses is taken out of its styles, fonts, scripts and pages.

Sphinx and its theme serve every site: 2,000 icons as a script and as fonts, the rules of all
components, MathJax's menu, a search index on every page. Runs on the folder that Sphinx wrote,
again and again: what is light already stays as it is. The digests in the addresses of styles and scripts become
those of the light files, so that a returning reader's browser fetches what has changed.
"""

import re
import zlib

import tinycss2
from fontTools import subset

MATHJAX = ("startup", "core", "input/tex", "output/chtml", "output/chtml/fonts/tex", "a11y/assistive-mml")  # tex-chtml.js without its menu
MATHJAX_KEPT = ("tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions")
FONTS = "vendor/fontawesome/webfonts"
CLASS = re.compile(r'class="([^"]*)"')
ICON = re.compile("[\ue000-\uf8ff]")
WOFF2 = re.compile(r'url\([^)]*\.woff2\) format\("woff2"\),')
NESTED = ("media", "supports")
HELPER = re.compile(r"this&&this\.__(?:assign|extends|values|read|spreadArray)\|\|")
OUTER = re.compile(r"(?:\(|function\(\)\{return )(\w+)=")  # the variable that a helper sets where it stands

PLAIN = re.compile(r'<span class="(?:mf|mi|n|nb|nn|nx|o|ow|p|w)">([^<]*)</span>')  # get the colour of the code around them: half a chapter's bytes
STRING = re.compile(r'<span class="(?:s1|sa|se|sd|si)">')  # have the colour of s2
JOINED = re.compile(r'(<span class="s2">[^<]*)</span><span class="s2">')
IMAGE = re.compile(r'<img (?![^>]*loading=)')
SCRIPT = r'^ *<script[^>]* src="[^"]*(?:{})\.js[^"]*"></script>\n'
SEARCH = "searchtools|language_data|searchindex"
TAG_INSIDE = re.compile(r"(\\tag\{[^}]*\})(\s*\\end\{split\})")  # Sphinx wraps what has a line break, and MathJax wants the number outside
TOUCHES = re.compile(r'(?<!class="kept">)([(“]?)(<span class="math notranslate">[^<]*</span>)([^\s<]*)')  # browsers break a line between a formula and what touches it
VERSION = re.compile(r'(_static/([^"?]+))\?v=\w+"')
ICON_TAG = re.compile(r'<i class="(?=[^"]*\bfa)(?![^>]*aria-hidden)')


def lighten(site):
    """Take out of the built site in folder `site` what none of its pages uses."""
    pages = {path: path.read_text() for path in site.rglob("*.html") if "_static" not in path.parts}
    light_pages = {path: page(text, searches=path.name == "search.html") for path, text in pages.items()}
    static = site / "_static"
    words = _words(light_pages.values(), static)
    icons = set()
    for path in [*static.glob("*.css"), *static.glob("styles/*.css")]:
        text = path.read_text()
        light = WOFF2.sub("", styles(text, words))
        icons |= set(ICON.findall(light))
        if light != text:
            path.write_text(light)
    for path in (static / FONTS).glob("*.ttf"):
        _cut(path, [ord(icon) for icon in icons])
    mathjax(static / "mathjax")
    for path in [*static.rglob("*.map"), *(static / FONTS).glob("*.woff2"), static / "scripts" / "fontawesome.js"]:
        path.unlink(missing_ok=True)
    for path, text in light_pages.items():
        light = versioned(text, static)
        if light != pages[path]:
            path.write_text(light)


def versioned(text, static):
    """The page with the digest of each style and script as it now lies in the folder `static`."""
    return VERSION.sub(lambda m: f'{m[1]}?v={zlib.crc32((static / m[2]).read_bytes()):08x}"', text)


def page(text, searches=False):
    """A page with less in it: code has fewer colours, images are loaded when they are near, roles are those of today."""
    text = STRING.sub('<span class="s2">', PLAIN.sub(r"\1", text))
    while (joined := JOINED.sub(r"\1", text)) != text:
        text = joined
    uncalled = ["scripts/fontawesome", *([] if "sd-tab-set" in text else ["design-tabs"]), *([] if searches else [SEARCH])]
    text = re.sub(SCRIPT.format("|".join(uncalled)), "", text, flags=re.M)
    text = text.replace('role="doc-biblioentry"', 'role="listitem"')  # a deprecated role, in a list
    text = text.replace('<span class="math notranslate nohighlight">', '<span class="math notranslate">')
    text = TAG_INSIDE.sub(r"\2\1", text)
    text = TOUCHES.sub(lambda m: f'<span class="kept">{m[0]}</span>' if m[1] or m[3] else m[0], text)
    return ICON_TAG.sub('<i aria-hidden="true" class="', IMAGE.sub('<img loading="lazy" ', text))


def _words(pages, static):
    """Every class of a page, and every word of a script: it might set a class of that name."""
    classes = {name for text in pages for names in CLASS.findall(text) for name in names.split()}
    scripts = [*static.glob("*.js"), *static.glob("scripts/*.js")]
    texts = [path.read_text() for path in scripts if path.name != "fontawesome.js"]
    inside = [script for text in pages for script in re.findall(r"<script[^>]*>(.*?)</script>", text, re.S)]
    return classes.union(*(re.findall(r"[\w-]+", text) for text in texts + inside))


def styles(css, words):
    """The stylesheet without the rules whose classes are no words of this site."""
    out = []
    for rule in tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True):
        if rule.type == "qualified-rule":
            selectors = [s for s in _selectors(rule.prelude) if _classes(s) <= words]
            if selectors:
                out.append(",".join(tinycss2.serialize(s).strip() for s in selectors) + "{" + tinycss2.serialize(rule.content) + "}")
        elif rule.type == "at-rule" and rule.lower_at_keyword in NESTED:
            inner = styles(tinycss2.serialize(rule.content), words)
            if inner:
                out.append(f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{inner}}}")
        else:
            out.append(rule.serialize())
    return "\n".join(out)


def _selectors(prelude):
    parts = [[]]
    for token in prelude:
        if token == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _classes(selector):
    """Classes that an element or its parents must have; those inside :not() and its like are not counted."""
    return {name.value for dot, name in zip(selector, selector[1:]) if dot == "." and name.type == "ident"}


def _cut(path, letters=None):
    """Keep of a font the outlines of `letters`, or of all, and neither hints nor names."""
    options = subset.Options(hinting=False, layout_features=[], name_IDs=[], notdef_outline=True, flavor=path.suffix.strip(".").replace("ttf", "") or None)
    options.drop_tables += ["FFTM"]
    font = subset.load_font(path, options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=letters or font.getBestCmap())
    cutter.subset(font)
    subset.save_font(font, path, options)


def mathjax(folder):
    """Write MathJax as one script of the parts that a page needs, and drop what is never loaded."""
    parts = [folder / f"{name}.js" for name in MATHJAX]
    if all(part.exists() for part in parts):
        for font in folder.rglob("*.woff"):
            _cut(font)
        names = ", ".join(f'"{name}"' for name in MATHJAX[1:])
        text = "\n".join([*(part.read_text() for part in parts), f"MathJax.loader.preLoad({names});\n"])
        (folder / "tex-chtml.js").write_text(_helpers_shared(text))
    for path in folder.rglob("*"):
        if path.is_file() and not str(path.relative_to(folder)).startswith(MATHJAX_KEPT):
            path.unlink()


def _helpers_shared(script):
    """The script with one copy of each of TypeScript's helpers: MathJax's modules carry 300."""
    shared, out, at = {}, [], 0
    for match in HELPER.finditer(script):
        end = _end_of_expression(script, match.end())
        name = shared.setdefault(script[match.end():end], f"helper{len(shared)}")
        out += [script[at:match.end()], name]
        at = end
    names = ",".join(f"{name}={_alone(text)}" for text, name in shared.items())
    return f"(()=>{{var {names};\n{''.join(out)}{script[at:]}}})();\n"


def _alone(helper):
    outer = OUTER.match(helper)
    return f"(()=>{{var {outer[1]};return {helper}}})()" if outer else helper


def _end_of_expression(script, at):
    """Where the expression that begins at `at` ends."""
    depth = 0
    while depth or script[at] not in ",;":
        depth += (script[at] in "({[") - (script[at] in ")}]")
        at += 1
    return at
