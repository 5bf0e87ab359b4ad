"""What the READMEs show, for the tests that run it."""


def blocks(path, language):
    """Return the fenced blocks of a language."""
    return [part.split("```")[0] for part in path.read_text(encoding="utf-8").split(f"```{language}\n")[1:]]
