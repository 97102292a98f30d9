from click.testing import CliRunner

from serinus.__main__ import main


def test_a_bad_setting_ends_the_start_with_a_sentence() -> None:
    result = CliRunner().invoke(main, ["run"], env={"SERINUS_WORKERS": "none"})
    assert result.exit_code == 1
    assert "SERINUS_WORKERS is 'none'; give a whole number" in result.output


def test_the_version_is_told() -> None:
    result = CliRunner().invoke(main, ["version"])
    assert result.exit_code == 0
    assert result.output.strip()
