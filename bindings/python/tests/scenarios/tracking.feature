Feature: Tracking
  What a program tells of what happened to somebody.

  @2.7.1 @6.1.1.1 @6.1.3 @6.2.1 @6.2.2
  Scenario: Value and fields of what is tracked are delivered, for the context of all levels
    Given a provider with the flags whose events are collected
    And an attribute "country" of "se" from the api
    When "bought" is tracked for "ada" with the value 12.5 and the fields {"colour": "red"}
    Then "bought" was delivered with the metric 12.5, the data {"colour": "red"} and the key "ada"

  @6.1.1.1
  Scenario: Without a context nothing is told, and nothing is raised
    Given a provider with the flags whose events are collected
    When "bought" is tracked for nobody
    And "looked" is tracked for "ada"
    Then "looked" alone was delivered
