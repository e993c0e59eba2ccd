"""What the document and the page of the hub's own REST show is what a hub answers, in the form that its table says."""

from azext_iotjobs.localhub.http.routes import ROUTES
from azext_iotjobs.localhub.rules.own_document import Member, read_members
from azext_iotjobs.localhub.testing import LocalHub
from tests.helpers.surface import generator

made = generator("local_rest_examples")
FORMS = {f"{route.verb} {route.path}": route.form for route in ROUTES if route.form is not None}


def test_the_examples_are_what_a_hub_answers() -> None:
    examples = made.read()
    with LocalHub(sku="S1") as hub:
        assert made.recorded(hub, examples) == examples, "run: python docs/generators/local_rest_examples.py"


def test_each_own_route_has_an_example_and_each_answer_is_one_that_its_form_says() -> None:
    seen = set()
    for example in made.read():
        form, status = FORMS[example["route"]], example["status"]
        assert form is not None
        if status < 400:
            seen.add(example["route"])
            document = form.answers[status].document
            whole = {"answer": document or Member(kind=str)}
            assert read_members({"answer": example.get("answer")}, whole) or status == 204
        else:
            assert status == 400 or status in form.answers, example
            assert example["answer"].keys() == {"Message", "ExceptionMessage"}
    assert seen == {route for route in FORMS if not route.startswith("HEAD ")}
