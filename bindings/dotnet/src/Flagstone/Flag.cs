// Prepared flags as their users see them.
namespace Flagstone;

/// <summary>
/// A prepared flag: key, type and default bound once, about half the cost of a call by key. Made by the <c>…Flag</c> methods of
/// <see cref="FlagstoneClient"/>; usable by any number of threads.
/// </summary>
/// <remarks>
/// It keeps its client from being collected, and answers from the last data held after the client is closed. There is nothing to
/// dispose of: its few bytes are given back when it is collected.
/// </remarks>
/// <typeparam name="T">Type of the value.</typeparam>
public abstract class Flag<T>
{
    /// <summary>For a flag of a host's own, for example in its tests.</summary>
    /// <param name="key">Key of the flag.</param>
    /// <param name="defaultValue">What is returned on any problem.</param>
    protected Flag(string key, T defaultValue)
    {
        Key = key;
        DefaultValue = defaultValue;
    }

    /// <summary>Key of the flag.</summary>
    public string Key { get; }

    /// <summary>What is returned on any problem.</summary>
    public T DefaultValue { get; }

    /// <summary>The flag's value. Never throws; allocates nothing for booleans and numbers without hooks.</summary>
    /// <param name="context">Who asks; null gives the default.</param>
    /// <returns>The value, or the default.</returns>
    public abstract T Value(Context? context);

    /// <summary>The flag's value with the reason. Never throws.</summary>
    /// <param name="context">Who asks; null gives the default.</param>
    /// <returns>The result.</returns>
    public abstract EvaluationDetail<T> Detail(Context? context);

    /// <summary>The key.</summary>
    /// <returns>Text for people.</returns>
    public override string ToString() => Key;
}
