// Collects attributes on the managed side and hands them over in one go, so that a builder that is dropped leaves nothing behind.
using System;
using System.Text.Json;
using Flagstone.Interop;

namespace Flagstone;

/// <summary>
/// Collects the attributes of a single-kind context; every method but <see cref="Build"/> returns the builder. Belongs to one
/// thread at a time.
/// </summary>
public sealed class ContextBuilder
{
    private AttributesRecipe _recipe;

    internal ContextBuilder(ContextKind kind, string key) =>
        _recipe = new AttributesRecipe(kind, key ?? throw new ArgumentNullException(nameof(key)));

    /// <summary>Sets the key.</summary>
    /// <param name="key">Not empty; checked by <see cref="Build"/>.</param>
    /// <returns>This builder.</returns>
    public ContextBuilder Key(string key)
    {
        Recipe.Key = key ?? throw new ArgumentNullException(nameof(key));
        return this;
    }

    /// <summary>Sets the kind.</summary>
    /// <param name="kind">Checked by <see cref="Build"/>.</param>
    /// <returns>This builder.</returns>
    public ContextBuilder Kind(ContextKind kind)
    {
        Recipe.Kind = kind;
        return this;
    }

    /// <summary>Sets the kind.</summary>
    /// <param name="kind">Checked by <see cref="Build"/>; empty is <c>user</c>.</param>
    /// <returns>This builder.</returns>
    public ContextBuilder Kind(string kind) => Kind(ContextKind.Of(kind));

    /// <summary>Sets the built-in attribute <c>name</c>.</summary>
    /// <param name="name">Null removes it.</param>
    /// <returns>This builder.</returns>
    public ContextBuilder Name(string? name) => Set("name", name);

    /// <summary>Sets the built-in attribute <c>anonymous</c>.</summary>
    /// <param name="anonymous">Whether the context is anonymous.</param>
    /// <returns>This builder.</returns>
    public ContextBuilder Anonymous(bool anonymous) => Set("anonymous", anonymous);

    /// <summary>Sets an attribute to a string.</summary>
    /// <param name="attribute">Name; <c>key</c>, <c>kind</c>, <c>name</c> and <c>anonymous</c> are the built-in ones.</param>
    /// <param name="value">Null removes the attribute.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentException">The name cannot be set.</exception>
    public ContextBuilder Set(string attribute, string? value) =>
        Set(attribute, (object?)value);

    /// <summary>Sets an attribute to a boolean.</summary>
    /// <inheritdoc cref="Set(string, string?)"/>
    public ContextBuilder Set(string attribute, bool value) =>
        Set(attribute, Boxes.Of(value));

    /// <summary>Sets an attribute to a number.</summary>
    /// <inheritdoc cref="Set(string, string?)"/>
    public ContextBuilder Set(string attribute, int value) => Set(attribute, (double)value);

    /// <summary>Sets an attribute to a number; all numbers are doubles.</summary>
    /// <inheritdoc cref="Set(string, string?)"/>
    public ContextBuilder Set(string attribute, long value) => Set(attribute, (double)value);

    /// <summary>Sets an attribute to a number: finite, checked by <see cref="Build"/>.</summary>
    /// <inheritdoc cref="Set(string, string?)"/>
    public ContextBuilder Set(string attribute, double value) =>
        Set(attribute, Boxes.Of(value));

    /// <summary>Sets an attribute to any JSON value; null removes it.</summary>
    /// <inheritdoc cref="Set(string, string?)"/>
    public ContextBuilder Set(string attribute, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Undefined => throw new ArgumentException("the value is undefined", nameof(value)),
        JsonValueKind.Null => Set(attribute, (string?)null),
        JsonValueKind.String => Set(attribute, Text(value)),
        _ => Set(attribute, new JsonAttribute(value.GetRawText())),
    };

    /// <summary>Marks attributes as private.</summary>
    /// <param name="references">Names, or paths such as <c>/address/street</c>.</param>
    /// <returns>This builder.</returns>
    public ContextBuilder Private(params string[] references)
    {
        foreach (string reference in references ?? throw new ArgumentNullException(nameof(references)))
        {
            Recipe.AddPrivate(reference ?? throw new ArgumentNullException(nameof(references)));
        }
        return this;
    }

    /// <summary>Marks attributes as private by name, whatever characters it has: <c>/a</c> is the attribute of this name.</summary>
    /// <param name="names">Names.</param>
    /// <returns>This builder.</returns>
    public ContextBuilder PrivateNames(params string[] names)
    {
        foreach (string name in names ?? throw new ArgumentNullException(nameof(names)))
        {
            Recipe.AddPrivate(ToReference(name ?? throw new ArgumentNullException(nameof(names))));
        }
        return this;
    }

    /// <summary>Makes the context. The builder stays as it is and may build again.</summary>
    /// <returns>The context.</returns>
    /// <exception cref="ArgumentException">
    /// The key is empty, the kind is not allowed, a built-in attribute has a wrong type, a number is not finite, or a text is no
    /// UTF-16; the message names it.
    /// </exception>
    public Context Build()
    {
        _recipe.IsGiven = true;
        return Context.From(_recipe);
    }

    /// <summary>What is collected, to be changed: contexts keep what they were made from.</summary>
    private AttributesRecipe Recipe => _recipe.IsGiven ? _recipe = _recipe.Copy() : _recipe;

    /// <summary>Only what begins like a path could be taken for one.</summary>
    private static string ToReference(string name) => name.Length == 0 || name[0] != '/'
        ? name
        : "/" + new System.Text.StringBuilder(name).Replace("~", "~0").Replace("/", "~1");

    private static string Text(JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Utf8.NotText(nameof(value), nameof(value));
        }
    }

    private ContextBuilder Set(string attribute, object? value)
    {
        switch (attribute ?? throw new ArgumentNullException(nameof(attribute)))
        {
            case "key" when value is string text:
                return Key(text);
            case "kind" when value is string text:
                return Kind(text);
            case "key" or "kind":
                throw new ArgumentException($"{attribute} must be a string", nameof(attribute));
            case "_meta":
                throw new ArgumentException("_meta is no name for an attribute; see Private", nameof(attribute));
            default:
                Recipe.Add(attribute, value);
                return this;
        }
    }
}
